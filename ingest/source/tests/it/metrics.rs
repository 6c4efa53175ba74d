//! What operators watch.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use metrics_exporter_prometheus::PrometheusBuilder;
use millrace_source::{Cut, Source, SourceOptions};

use crate::broker::{Broker, epochs_up_to};
use crate::given::{self, Given};

fn names(text: &str) -> BTreeSet<&str> {
    let names = text.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next());
    names.filter(|name| name.starts_with("millrace_source_")).collect()
}

#[tokio::test]
async fn exactly_what_is_documented_is_measured() -> anyhow::Result<()> {
    let metrics = PrometheusBuilder::new().install_recorder()?;
    let documented: BTreeSet<&str> = include_str!("../../../../infra/docs/metrics.md")
        .split('`')
        .filter(|word| word.starts_with("millrace_source_") && !word.contains(' '))
        .collect();
    assert_eq!(documented.len(), 13, "{documented:?}");

    let broker = Broker::start().await?;
    let mut given = Given::seed(41);
    let log = given::log((0..30).map(|_| given.transaction()).collect::<Vec<_>>());
    broker.append(&log)?;
    let options = SourceOptions { copy: Some(broker.copy()), ..broker.options(&Cut::default()) };
    let mut source = Source::open(options).await?;
    epochs_up_to(&mut source, log.len()).await?;
    let deadline = Instant::now() + Duration::from_secs(20);
    while names(&metrics.render()) != documented {
        assert!(
            Instant::now() < deadline,
            "told and documented differ: {:?}",
            names(&metrics.render()).symmetric_difference(&documented).collect::<Vec<_>>()
        );
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    source.close().await;
    Ok(())
}
