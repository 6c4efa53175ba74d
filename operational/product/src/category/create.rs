//! `POST /api/v1/categories`.

use axum::extract::State;
use axum::response::IntoResponse;
use millrace_events::CategoryId;
use millrace_events::event::CategoryCreated;
use millrace_kernel::{
    BatchCommand, Context, FieldErrors, Json, Kernel, Need, Permission, Problem, Result, Tx,
    Validate,
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::SCHEMA;

/// A category, at the root of the tree or below another.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateCategory {
    /// Chosen by the caller, or made.
    pub category_id: Option<CategoryId>,
    pub name: String,
    pub parent_id: Option<CategoryId>,
}

impl Validate for CreateCategory {
    fn validate(&self, errors: &mut FieldErrors) {
        errors.text("name", &self.name, 100);
        let own = self.category_id.is_some() && self.category_id == self.parent_id;
        errors.require(!own, "parent_id", "invalid", "must not be the category itself");
    }
}

impl BatchCommand for CreateCategory {
    type Output = CategoryCreated;
    const NAME: &'static str = "product.create_category";
    const SCHEMA: &'static str = SCHEMA;

    fn needs(&self) -> Vec<Need> {
        vec![Need::any_shop(Permission::ProductWrite)]
    }

    async fn execute_all(items: &[Self], tx: &mut Tx) -> Result<Vec<CategoryCreated>> {
        let categories: Vec<CategoryCreated> = items
            .iter()
            .map(|item| CategoryCreated {
                category_id: item.category_id.unwrap_or_else(CategoryId::new),
                name: item.name.clone(),
                parent_id: item.parent_id,
            })
            .collect();
        tx.execute(
            "insert into product.categories (category_id, name, parent_id) \
             select category_id, name, parent_id \
             from json_populate_recordset(null::product.categories, $1::text::json)",
            &[&serde_json::to_string(&categories)?],
        )
        .await?;
        for category in &categories {
            tx.append(category)?;
        }
        Ok(categories)
    }
}

/// Create a category.
#[utoipa::path(
    post,
    path = "/api/v1/categories",
    tag = "products",
    request_body = CreateCategory,
    responses((status = 201, body = CategoryCreated), (status = "4XX", body = Problem)),
)]
pub(crate) async fn create_category(
    State(kernel): State<Kernel>,
    context: Context,
    Json(command): Json<CreateCategory>,
) -> Result<impl IntoResponse> {
    Ok(kernel.run(&context, &command).await?.created())
}
