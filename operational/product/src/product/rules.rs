//! What the data of a product must look like.

use millrace_events::{CategoryId, Percent, ProductId, Quantity, Rate, VendorId};
use millrace_kernel::{FieldErrors, Validate};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A product that can be sold from now on, or its whole new state.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateProduct {
    /// Chosen by the caller, or made.
    pub product_id: Option<ProductId>,
    /// The number people know it by; unique.
    pub sku: String,
    pub name: String,
    pub category_id: CategoryId,
    pub brand: Option<String>,
    /// Unit of quantity, for example EA or KG.
    pub unit: String,
    /// Unique where given.
    pub barcode: Option<String>,
    pub package_size: Option<String>,
    /// List price per unit; whether tax is in it is the shop's rule.
    pub price: Rate,
    /// Expected purchase cost per unit, without tax.
    pub standard_cost: Rate,
    /// Per cent.
    pub tax_rate: Percent,
    /// Harmonised system code, 4 to 8 digits.
    pub hsn: Option<String>,
    pub vendor_id: Option<VendorId>,
    /// Stock of a shop at or below which it is low.
    #[serde(default)]
    pub reorder_level: Quantity,
    #[serde(default = "yes")]
    pub is_active: bool,
}

fn yes() -> bool {
    true
}

impl Validate for CreateProduct {
    fn validate(&self, errors: &mut FieldErrors) {
        errors.text("sku", &self.sku, 64);
        errors.text("name", &self.name, 200);
        errors.optional_text("brand", self.brand.as_deref(), 100);
        errors.text("unit", &self.unit, 16);
        errors.optional_text("barcode", self.barcode.as_deref(), 64);
        errors.optional_text("package_size", self.package_size.as_deref(), 64);
        for (field, rate) in [("price", self.price), ("standard_cost", self.standard_cost)] {
            errors.require(!rate.is_negative(), field, "negative", "must not be negative");
            errors.require(
                rate <= Rate::from(1_000_000_000),
                field,
                "too_large",
                "must be at most 1000000000",
            );
        }
        let tax = self.tax_rate;
        let taxable = !tax.is_negative() && tax <= Percent::from(100);
        errors.require(taxable, "tax_rate", "out_of_range", "must be 0 to 100");
        let level = self.reorder_level;
        errors.require(!level.is_negative(), "reorder_level", "negative", "must not be negative");
        if let Some(hsn) = &self.hsn {
            let digits =
                (4..=8).contains(&hsn.len()) && hsn.bytes().all(|byte| byte.is_ascii_digit());
            errors.require(digits, "hsn", "invalid", "must have 4 to 8 digits");
        }
    }
}
