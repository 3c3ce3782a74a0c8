"""clearsessions on many expired rows, beside a process that keeps saving live sessions."""
