<%@ page session="false" contentType="text/plain" trimDirectiveWhitespaces="true" import="java.util.Collections" %>
<%!
  /** The visitor's number, one higher with every call. */
  private static int next(HttpSession session) {
    Integer count = (Integer) session.getAttribute("count");
    session.setAttribute("count", count == null ? 1 : count + 1);
    return (Integer) session.getAttribute("count");
  }
%>
<%
  HttpSession known = request.getSession(false);
  switch (request.getServletPath()) {
    case "/inc":
      out.print(next(request.getSession()));
      break;
    case "/get":
      out.print(known == null || known.getAttribute("count") == null ? 0 : known.getAttribute("count"));
      break;
    case "/id":
      out.print(known == null ? "" : known.getId());
      break;
    case "/who":
      out.print(ProcessHandle.current().pid() + " " + System.getProperty("port"));
      break;
    case "/login":
      request.getSession();
      request.changeSessionId();
      HttpSession session = request.getSession();
      session.setAttribute("user", "ada");
      out.print(next(session));
      break;
    case "/logout":
      if (known != null) known.invalidate();
      out.print("bye");
      break;
  }
%>
