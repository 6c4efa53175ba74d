//! PIP-1 and PIP-2.

use crate::{Doctor, Finding, Result};

/// PIP-1.
pub(crate) async fn views_equal_batch(doctor: &Doctor) -> Result<Finding> {
    let mut finding =
        Finding::new("PIP-1", "a view at position P equals batch SQL over all events up to P");
    let mut rows = 0;
    let live: Vec<String> = doctor
        .pipeline
        .views()
        .iter()
        .filter(|view| doctor.pipeline.snapshot(&view.name).is_ok())
        .map(|view| view.name.clone())
        .collect();
    let count = live.len();
    for name in live {
        let verified = doctor.pipeline.verify(&name).await?;
        rows += verified.rows;
        let at = verified.position;
        for row in &verified.difference.missing {
            finding.violate(format!("{name} at position {at}: batch SQL does not have {row}"));
        }
        for row in &verified.difference.surplus {
            finding.violate(format!("{name} at position {at}: the view does not have {row}"));
        }
    }
    Ok(finding.examined(rows, &format!("rows of {count} live views")))
}

/// PIP-2.
pub(crate) fn all_is_accounted_for(doctor: &Doctor) -> Finding {
    let mut finding = Finding::new(
        "PIP-2",
        "applied + dead-lettered = position; the position never passes the end of the log; no view has stopped",
    );
    let status = doctor.pipeline.status();
    let accounted = status.applied + status.dead_lettered;
    if accounted != status.position.0 {
        finding.violate(format!(
            "{} applied + {} dead-lettered = {accounted}, but the position is {}",
            status.applied, status.dead_lettered, status.position
        ));
    }
    if status.position > status.log_end {
        finding.violate(format!(
            "the position {} is behind the end of the log {}",
            status.position, status.log_end
        ));
    }
    for stopped in &status.stopped_views {
        finding.violate(format!("a view has stopped: {stopped:?}"));
    }
    finding.examined(status.position, "events passed")
}
