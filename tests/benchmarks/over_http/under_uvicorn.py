"""Run uvicorn on a listening socket that is handed down: `python -m … FD`.

Uvicorn's own option for that takes the socket for a Unix socket, and so leaves out TCP_NODELAY:
each answer would wait 40 ms for the acknowledgement of its head.
"""

import socket
import sys

import uvicorn

from tests.benchmarks.over_http.app import asgi

if __name__ == "__main__":
    with socket.socket(fileno=int(sys.argv[1])) as listener:
        config = uvicorn.Config(asgi, lifespan="off", log_level="warning", access_log=False)
        uvicorn.Server(config).run(sockets=[listener])
