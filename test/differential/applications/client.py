"""Asks for cases with http.client: `client.py PORT NUMBER:METHOD,...`; a line of JSON for each case and each marker."""

import http.client
import json
import sys


def ask(connection, method, target):
    status = 0
    try:
        connection.request(method, target)
        response = connection.getresponse()
        status = response.status
        body = response.read()
        return {"status": status, "body": body.hex(), "complete": True}
    except http.client.IncompleteRead as cut:
        connection.close()
        return {"status": status, "body": cut.partial.hex(), "complete": False}
    except Exception as error:
        connection.close()
        return {"status": status, "body": "", "complete": False, "error": repr(error)}


connection = http.client.HTTPConnection("127.0.0.1", int(sys.argv[1]), timeout=60)
for word in sys.argv[2].split(","):
    number, method = word.split(":")
    case = ask(connection, method, f"/case/http.client/{number}")
    marker = ask(connection, "GET", f"/marker/http.client/{number}")
    print(json.dumps({"case": case, "marker": marker}), flush=True)
