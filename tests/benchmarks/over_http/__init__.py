"""Sessions under a real server and a real load: gunicorn for WSGI, uvicorn for ASGI."""
