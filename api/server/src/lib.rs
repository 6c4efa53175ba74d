//! The gateway: REST, live streams, login, OpenAPI, the web app.
