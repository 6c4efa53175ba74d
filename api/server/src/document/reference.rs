//! `GET /docs`: the OpenAPI document as a page, without anything from elsewhere.

use axum::http::StatusCode;
use axum::response::Response;

use crate::web;

const PAGE: &str = include_str!("reference.html");

pub(crate) async fn reference() -> Response {
    web::page(StatusCode::OK, PAGE)
}
