//! The topics with their partitions, made up front.

use millrace_events::Topic;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::types::RDKafkaErrorCode;

use crate::log::{ANSWER_TIMEOUT, client, failed};
use crate::{Error, RelayOptions};

/// Only the newest frontier is worth something, but that one always: it tells which events count. By size
/// the segment being written is never dropped, by age it would be.
const FRONTIER_RETENTION: [(&str, &str); 3] =
    [("retention.ms", "-1"), ("retention.bytes", "1048576"), ("segment.bytes", "16777216")];
/// Room for key, headers and batch around an envelope.
const MESSAGE_OVERHEAD_BYTES: usize = 64 << 10;

/// A topic and how many partitions it really has.
#[derive(Clone, Debug)]
pub(crate) struct TopicInfo {
    pub(crate) name: String,
    pub(crate) partitions: i32,
}

/// Makes the topics that do not exist, and tells the business topics' partitions.
pub(crate) async fn ensure(options: &RelayOptions) -> Result<Vec<TopicInfo>, Error> {
    let admin: AdminClient<DefaultClientContext> =
        client(options).create().map_err(failed(options, "make a client"))?;
    let message_bytes = (options.message_bytes_max + MESSAGE_OVERHEAD_BYTES).to_string();
    let topic = |name, partitions| {
        NewTopic::new(name, partitions, TopicReplication::Fixed(options.replication))
    };
    let business = options.topics.iter().map(|name| {
        topic(name.as_str(), options.partitions)
            .set("retention.ms", "-1")
            .set("max.message.bytes", &message_bytes)
    });
    let control = FRONTIER_RETENTION
        .into_iter()
        .fold(topic(Topic::FRONTIER, 1), |control, (name, value)| control.set(name, value));
    let wanted: Vec<_> = business.chain([control]).collect();
    let limits = AdminOptions::new()
        .request_timeout(Some(ANSWER_TIMEOUT))
        .operation_timeout(Some(ANSWER_TIMEOUT));
    let made = admin
        .create_topics(&wanted, &limits)
        .await
        .map_err(failed(options, "create the topics"))?;
    for result in made {
        match result {
            Ok(_) | Err((_, RDKafkaErrorCode::TopicAlreadyExists)) => {}
            Err((topic, code)) => {
                return Err(Error::Topic { topic, detail: format!("can't be created: {code}") });
            }
        }
    }
    let options = options.clone();
    tokio::task::spawn_blocking(move || describe(&admin, &options))
        .await
        .map_err(|error| Error::Task { detail: error.to_string() })?
}

fn describe(
    admin: &AdminClient<DefaultClientContext>,
    options: &RelayOptions,
) -> Result<Vec<TopicInfo>, Error> {
    let metadata = admin
        .inner()
        .fetch_metadata(None, ANSWER_TIMEOUT)
        .map_err(failed(options, "list the topics"))?;
    let partitions = |name: &str| {
        metadata
            .topics()
            .iter()
            .find(|topic| topic.name() == name)
            .map(|topic| topic.partitions().len() as i32)
            .filter(|&count| count > 0)
            .ok_or_else(|| Error::Topic {
                topic: name.to_owned(),
                detail: "was created, but the broker does not list it yet".into(),
            })
    };
    let control = partitions(Topic::FRONTIER)?;
    if control != 1 {
        return Err(Error::Topic {
            topic: Topic::FRONTIER.into(),
            detail: format!("has {control} partitions and must have one: delete it"),
        });
    }
    options
        .topics
        .iter()
        .map(|name| {
            let found = partitions(name)?;
            if found != options.partitions {
                tracing::warn!(
                    topic = name,
                    found,
                    configured = options.partitions,
                    "the topic keeps the number of partitions it was made with"
                );
            }
            Ok(TopicInfo { name: name.clone(), partitions: found })
        })
        .collect()
}
