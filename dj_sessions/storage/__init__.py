"""Where sessions are kept. A storage knows no session, no request and no setting of a cookie."""
