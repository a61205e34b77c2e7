"""Notes what ASGI saw of a request in a file of lines, everything in hexadecimal, and answers with nothing."""

from wsgi import note


async def application(scope, receive, send):
    if scope["type"] != "http":
        return
    body = b""
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            # Cut off: no request.
            return
        body += message["body"]
        if not message.get("more_body"):
            break
    query = scope["query_string"]
    note(
        {
            "method": scope["method"].encode().hex(),
            "target": (scope["raw_path"] + (b"?" + query if query else b"")).hex(),
            "fields": [[name.hex(), value.hex()] for name, value in scope["headers"]],
            "body": body.hex(),
        }
    )
    headers = [(b"content-type", b"text/plain"), (b"content-length", b"4")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else b"seen"})
