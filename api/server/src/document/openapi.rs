//! The OpenAPI document: what the routes say of themselves, and what holds for all of them.

use millrace_kernel::Problem;
use utoipa::openapi::path::Operation;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme};
use utoipa::openapi::tag::TagBuilder;
use utoipa::openapi::{
    Components, ContentBuilder, InfoBuilder, LicenseBuilder, OpenApi, OpenApiBuilder, Ref, RefOr,
    ResponseBuilder,
};
use utoipa::{PartialSchema, ToSchema};

const SCHEME: &str = "access_token";
const PROBLEM_TYPE: &str = "application/problem+json";
const DESCRIPTION: &str = "\
Writes are commands decided in PostgreSQL; reads are views that the stream keeps true.

**Access.** Send `Authorization: Bearer <access token>` from `POST /auth/login`.

**Problems.** Every error is an RFC 9457 document with `code`, `trace_id` and, for bad input, `errors` naming each field.

**Repeating.** A write takes `Idempotency-Key`: the same body again gets the stored answer, another body 422, \
one still running 409.

**Read your writes.** A write answers `millrace-token`; a read that sends it as `millrace-wait-for` (or `?wait_for=`) \
waits until the write is included, or answers 504 `frontier_timeout`. `?at_least=<position>` waits for a position.

**Numbers.** Decimals are JSON numbers written exactly (`1500.00`); parse them as decimals, not as doubles, \
where they may have more than 15 digits.";

/// The document before any route has added itself.
pub(crate) fn describe() -> OpenApi {
    let tag = |name: &str, description: &str| {
        TagBuilder::new().name(name).description(Some(description)).build()
    };
    let info = InfoBuilder::new()
        .title("Millrace")
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some(DESCRIPTION))
        .license(Some(
            LicenseBuilder::new().name("Apache-2.0").identifier(Some("Apache-2.0")).build(),
        ))
        .build();
    OpenApiBuilder::new()
        .info(info)
        .tags(Some([
            tag("login", "Who is asking"),
            tag("views", "SQL views kept true by the stream, as JSON and live"),
            tag("operations", "How the installation fares"),
            tag("products", "What is sold, and the promotions planned for it"),
            tag("parties", "Shops, customers and vendors"),
            tag("sales", "Invoices of the till, and returns"),
            tag("inventory", "Stock and its corrections"),
            tag("purchases", "Goods received"),
            tag("finance", "Ledgers and journal entries"),
        ]))
        .build()
}

/// Adds what holds for every operation: the security scheme, and the problem that any may answer.
pub(crate) fn complete(mut document: OpenApi) -> OpenApi {
    let bearer = HttpBuilder::new()
        .scheme(HttpAuthScheme::Bearer)
        .bearer_format("JWT")
        .description(Some("The access token of `POST /auth/login`; it holds for 15 minutes"))
        .build();
    let components = document.components.get_or_insert_with(Components::new);
    components.add_security_scheme(SCHEME, SecurityScheme::Http(bearer));
    let mut schemas = vec![(Problem::name().into_owned(), Problem::schema())];
    Problem::schemas(&mut schemas);
    for (name, schema) in schemas {
        components.schemas.entry(name).or_insert(schema);
    }
    document.security = Some(vec![SecurityRequirement::new(SCHEME, Vec::<String>::new())]);
    for (path, item) in &mut document.paths.paths {
        let operations = [
            &mut item.get,
            &mut item.put,
            &mut item.post,
            &mut item.delete,
            &mut item.patch,
            &mut item.head,
            &mut item.options,
        ];
        if path.starts_with("/api/") || path.starts_with("/auth/") {
            operations.into_iter().flatten().for_each(add_problem);
        }
    }
    document
}

fn add_problem(operation: &mut Operation) {
    let reference = RefOr::Ref(Ref::from_schema_name(Problem::name()));
    let problem = ResponseBuilder::new()
        .description("A problem; `code` says which")
        .content(PROBLEM_TYPE, ContentBuilder::new().schema(Some(reference)).build())
        .build();
    operation.responses.responses.entry("default".to_owned()).or_insert(RefOr::T(problem));
}
