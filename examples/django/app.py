# Django with file sessions, in one file: SESSIONS=./sessions gunicorn --chdir examples/django app:application
# or, with Django's own server: SESSIONS=./sessions python3 examples/django/app.py runserver 8000
# An ordinary application; nothing in it knows who stands in front.

import os
import sys

from django.conf import settings
from django.core.management import execute_from_command_line
from django.core.wsgi import get_wsgi_application
from django.http import HttpResponse
from django.urls import path

settings.configure(
    ALLOWED_HOSTS=["*"],
    DEBUG=False,
    MIDDLEWARE=["django.contrib.sessions.middleware.SessionMiddleware"],
    ROOT_URLCONF=__name__,
    SECRET_KEY=os.environ.get("SESSION_SECRET", "an example secret, open to all"),
    SESSION_ENGINE="django.contrib.sessions.backends.file",
    SESSION_FILE_PATH=os.environ.get("SESSIONS", "./sessions"),
    SESSION_COOKIE_AGE=int(os.environ.get("SESSION_SECONDS", 14 * 24 * 3600)),
    USE_TZ=True,
)


def text(value):
    return HttpResponse(str(value), content_type="text/plain")


def next_number(request):
    """The visitor's number, one higher with every call."""
    request.session["count"] = request.session.get("count", 0) + 1
    return request.session["count"]


def inc(request):
    return text(next_number(request))


def get(request):
    return text(request.session.get("count", 0))


def session_id(request):
    return text(request.session.session_key)


def who(request):
    return text(f"{os.getpid()} {os.environ.get('PORT', '8000')}")


def login(request):
    """What django.contrib.auth.login() does with the session: a new key for the same data."""
    request.session.cycle_key()
    request.session["user"] = "ada"
    return text(next_number(request))


def logout(request):
    """As django.contrib.auth.logout()."""
    request.session.flush()
    return text("bye")


urlpatterns = [
    path("inc", inc),
    path("get", get),
    path("id", session_id),
    path("who", who),
    path("login", login),
    path("logout", logout),
]
application = get_wsgi_application()

if __name__ == "__main__":
    execute_from_command_line(sys.argv)
