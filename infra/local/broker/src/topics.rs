//! What the catalog says of topics, remembered: each request to write or read asks for it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use nisshi_sans_io::describe_configs_response::DescribeConfigsResult;
use nisshi_sans_io::{ConfigResource, ErrorCode};
use nisshi_storage::{ArcDynStorage, MetadataResponse, Result, Storage as _, TopicId, max_message_bytes};
use uuid::Uuid;

use crate::log::Retention;

/// Answers remembered; beyond it all are forgotten.
const REMEMBERED_MAX: usize = 1000;
/// Kafka's default: seven days.
const RETENTION_MS: i64 = 7 * 24 * 60 * 60 * 1000;

/// A topic that exists.
#[derive(Clone, Copy, Debug)]
pub struct Topic {
    pub id: Uuid,
    pub partitions: i32,
    /// Bytes of the largest batch it takes.
    pub batch_bytes_max: usize,
    pub retention: Retention,
}

#[derive(Debug)]
pub struct Topics {
    catalog: ArcDynStorage,
    known: Mutex<Known>,
}

#[derive(Debug, Default)]
struct Known {
    /// Counts the changes, so that an answer from before one is not remembered after it.
    changes: u64,
    metadata: HashMap<Vec<TopicId>, Arc<MetadataResponse>>,
    topics: HashMap<String, Topic>,
    settings: HashMap<String, Arc<DescribeConfigsResult>>,
}

impl Topics {
    pub fn new(catalog: ArcDynStorage) -> Self {
        Self { catalog, known: Mutex::default() }
    }

    /// Something in the catalog has changed.
    pub fn forget(&self) {
        let mut known = self.known();
        *known = Known { changes: known.changes + 1, ..Known::default() };
    }

    /// Brokers, and the topics asked for; all without `ids`.
    pub async fn metadata(&self, ids: Option<&[TopicId]>) -> Result<MetadataResponse> {
        let Some(ids) = ids else { return self.catalog.metadata(None).await };
        let changes = {
            let known = self.known();
            if let Some(metadata) = known.metadata.get(ids) {
                return Ok(MetadataResponse::clone(metadata));
            }
            known.changes
        };
        let metadata = self.catalog.metadata(Some(ids)).await?;
        let mut known = self.known();
        if known.changes == changes {
            if known.metadata.len() == REMEMBERED_MAX {
                known.metadata.clear();
            }
            known.metadata.insert(ids.to_vec(), Arc::new(metadata.clone()));
        }
        Ok(metadata)
    }

    /// The topic of this name, if it exists.
    pub async fn find(&self, name: &str) -> Result<Option<Topic>> {
        let changes = {
            let known = self.known();
            if let Some(topic) = known.topics.get(name) {
                return Ok(Some(*topic));
            }
            known.changes
        };
        let metadata = self.metadata(Some(&[TopicId::Name(name.to_owned())])).await?;
        let found = metadata.topics.first();
        let found = found.filter(|topic| topic.error_code == i16::from(ErrorCode::None));
        let Some(found) = found else { return Ok(None) };
        let partitions = found.partitions.as_ref().map_or(0, Vec::len);
        let settings = self.settings(name).await?;
        let setting = |name: &str| {
            let mut settings = settings.configs.iter().flatten();
            settings.find(|setting| setting.name == name)?.value.as_deref()
        };
        let retention_ms = setting("retention.ms").and_then(|value| value.trim().parse().ok());
        let retention_bytes: Option<i64> =
            setting("retention.bytes").and_then(|value| value.trim().parse().ok());
        let topic = Topic {
            id: found.topic_id.map(Uuid::from_bytes).unwrap_or_default(),
            partitions: i32::try_from(partitions).unwrap_or(i32::MAX),
            batch_bytes_max: max_message_bytes::limit(name, setting(max_message_bytes::KEY)),
            retention: Retention {
                milliseconds: Some(retention_ms.unwrap_or(RETENTION_MS)).filter(|ms| *ms >= 0),
                bytes: retention_bytes.and_then(|bytes| u64::try_from(bytes).ok()),
            },
        };
        let mut known = self.known();
        if known.changes == changes {
            known.topics.insert(name.to_owned(), topic);
        }
        Ok(Some(topic))
    }

    /// All that a topic was created with.
    pub async fn settings(&self, name: &str) -> Result<Arc<DescribeConfigsResult>> {
        let changes = {
            let known = self.known();
            if let Some(settings) = known.settings.get(name) {
                return Ok(Arc::clone(settings));
            }
            known.changes
        };
        let settings = self.catalog.describe_config(name, ConfigResource::Topic, None).await?;
        let settings = Arc::new(settings);
        let mut known = self.known();
        if known.changes == changes {
            if known.settings.len() == REMEMBERED_MAX {
                known.settings.clear();
            }
            known.settings.insert(name.to_owned(), Arc::clone(&settings));
        }
        Ok(settings)
    }

    /// Name and id of every topic.
    pub async fn all(&self) -> Result<Vec<(String, Uuid)>> {
        let topics = self.catalog.metadata(None).await?.topics;
        let named = topics.into_iter().filter_map(|topic| {
            Some((topic.name?, Uuid::from_bytes(topic.topic_id?)))
        });
        Ok(named.collect())
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
