//! OLP-1.

use millrace_views::Mart;

use crate::{Doctor, Finding, Result};

/// OLP-1.
pub(crate) async fn marts_equal_views(doctor: &Doctor) -> Result<Finding> {
    let mut finding = Finding::new("OLP-1", "a mart holds exactly what its view holds");
    if doctor.pipeline.loader().is_none() {
        return Ok(finding.examined("no", "marts are kept: not compared"));
    }
    let views = doctor.pipeline.views();
    let marts = views.iter().filter(|view| view.mart != Mart::None);
    let (mut count, mut rows) = (0, 0);
    for view in marts {
        let reconciled = doctor.pipeline.reconcile(&view.name).await?;
        count += 1;
        rows += reconciled.difference.mart_rows;
        let at = reconciled.position;
        for row in &reconciled.difference.missing {
            finding.violate(format!("{} at position {at}: the mart lacks {row}", view.name));
        }
        for row in &reconciled.difference.surplus {
            finding.violate(format!("{} at position {at}: the view lacks {row}", view.name));
        }
    }
    Ok(finding.examined(rows, &format!("rows of {count} marts")))
}
