"""Notes what WSGI saw of a request in a file of lines, everything in hexadecimal, and answers with nothing."""

import json
import os


def application(environ, start_response):
    body = environ["wsgi.input"].read()
    seen = {
        "method": text(environ["REQUEST_METHOD"]),
        "target": text(environ["RAW_URI"]),
        "fields": [[text(name[5:]), text(value)] for name, value in environ.items() if name.startswith("HTTP_")],
        "body": body.hex(),
    }
    note(seen)
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", "4")])
    return [] if environ["REQUEST_METHOD"] == "HEAD" else [b"seen"]


def text(value):
    return value.encode("latin1").hex()


def note(seen):
    file = os.open(os.environ["SEEN"], os.O_WRONLY | os.O_APPEND)
    os.write(file, (json.dumps(seen) + "\n").encode())
    os.close(file)
