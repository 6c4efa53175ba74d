//! Bars with rate and time left, on a terminal only; elsewhere a line when a step is done.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

/// A bar for one step of the load, counting `what`.
#[must_use]
pub fn bar(step: &'static str, length: usize, what: &'static str) -> ProgressBar {
    let bar = ProgressBar::new(length as u64);
    let template = format!(
        "{{prefix:<22}} {{wide_bar:.cyan/blue}} {{human_pos}}/{{human_len}} {what}  {{per_sec:>12}}  {{eta:>4}} left"
    );
    bar.set_style(
        ProgressStyle::with_template(&template)
            .expect("the template is valid")
            .progress_chars("━╸ "),
    );
    bar.set_prefix(step);
    bar.enable_steady_tick(Duration::from_millis(200));
    bar
}

/// Ends a bar; where none is shown, says the same in the log.
pub fn finish(bar: &ProgressBar) {
    bar.finish();
    if bar.is_hidden() {
        tracing::info!(
            step = bar.prefix(),
            count = bar.length().unwrap_or_default(),
            seconds = bar.elapsed().as_secs_f32(),
            "loaded"
        );
    }
}
