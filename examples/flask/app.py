# Flask with Flask-Session's files (cachelib): SESSIONS=./sessions gunicorn --chdir examples/flask app:app
# An ordinary application; nothing in it knows who stands in front.

import os
from datetime import timedelta
from uuid import uuid4

from flask import Flask, session
from flask_session import Session

app = Flask(__name__)
app.config.update(
    SECRET_KEY=os.environ.get("SESSION_SECRET", "an example secret, open to all"),
    SESSION_TYPE="filesystem",
    SESSION_FILE_DIR=os.environ.get("SESSIONS", "./sessions"),
    # cachelib's own bound on the sessions of one server: beyond it the oldest are deleted. 500 is its default.
    SESSION_FILE_THRESHOLD=int(os.environ.get("SESSION_FILE_THRESHOLD", 500)),
    SESSION_USE_SIGNER=os.environ.get("SESSION_USE_SIGNER") == "1",
    PERMANENT_SESSION_LIFETIME=timedelta(days=31),
)
Session(app)


def text(value):
    return str(value), {"Content-Type": "text/plain"}


def next_number():
    """The visitor's number, one higher with every call."""
    session["count"] = session.get("count", 0) + 1
    return session["count"]


@app.get("/inc")
def inc():
    return text(next_number())


@app.get("/get")
def get():
    return text(session.get("count", 0))


@app.get("/id")
def session_id():
    return text(session.sid)


@app.get("/who")
def who():
    return text(f"{os.getpid()} {os.environ.get('PORT', '8000')}")


@app.get("/login")
def login():
    """A new id for the same data. Flask-Session has regenerate() since 0.7; before, this is what it does."""
    interface = app.session_interface
    if hasattr(interface, "regenerate"):
        interface.regenerate(session)
    else:
        interface.cache.delete(interface.key_prefix + session.sid)
        session.sid = str(uuid4())
    session["user"] = "ada"
    return text(next_number())


@app.get("/logout")
def logout():
    session.clear()
    return text("bye")


if __name__ == "__main__":
    app.run(port=int(os.environ.get("PORT", 8000)), threaded=True)
