//! OLP-1.

use millrace_views::Audit;

use crate::{Doctor, Finding};

/// OLP-1.
pub(crate) fn marts_equal_views(doctor: &Doctor, audit: &millrace_views::Result<Audit>) -> Finding {
    let mut finding = Finding::new("OLP-1", "a mart holds exactly what its view holds");
    if doctor.pipeline.loader().is_none() {
        return finding.examined("no", "marts are kept: not compared");
    }
    let compared = audit.as_ref().and_then(|audit| Ok((audit.position, audit.marts.as_ref()?)));
    let (at, marts) = match compared {
        Ok(compared) => compared,
        Err(error) => {
            finding.violate(format!("the marts can't be compared: {error}"));
            return finding.examined("no", "marts");
        }
    };
    for reconciled in marts {
        let name = &reconciled.mart;
        for row in &reconciled.difference.missing {
            finding.violate(format!("{name} at position {at}: the mart lacks {row}"));
        }
        for row in &reconciled.difference.surplus {
            finding.violate(format!("{name} at position {at}: the view lacks {row}"));
        }
    }
    let rows: i64 = marts.iter().map(|reconciled| reconciled.difference.mart_rows).sum();
    finding.examined(rows, &format!("rows of {} marts", marts.len()))
}
