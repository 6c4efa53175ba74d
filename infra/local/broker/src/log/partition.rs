//! One partition: segments, of which the last is appended to.

use std::fs;
use std::path::{Path, PathBuf};

use nisshi_sans_io::record::deflated::Batch;

use super::batch::Head;
use super::producers::{Producers, Verdict};
use super::segment::Segment;
use super::{Error, Result};

/// A segment is followed by a new one when it is this large.
const SEGMENT_BYTES: u64 = 128 << 20;
/// Holds the offset below which records were deleted, where that lies inside a segment.
const START: &str = "start";

#[derive(Debug)]
pub struct Partition {
    folder: PathBuf,
    /// Ascending; never empty.
    segments: Vec<Segment>,
    producers: Producers,
    start: i64,
    /// Something was appended that may not be on disk.
    is_dirty: bool,
    segment_bytes: u64,
}

/// How long and how much a topic keeps; `None` is forever.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Retention {
    pub milliseconds: Option<i64>,
    pub bytes: Option<u64>,
}

impl Partition {
    pub fn open(folder: PathBuf) -> Result<Self> {
        Self::open_with(folder, SEGMENT_BYTES)
    }

    fn open_with(folder: PathBuf, segment_bytes: u64) -> Result<Self> {
        fs::create_dir_all(&folder)?;
        let bases = bases(&folder)?;
        let mut producers = Producers::default();
        let mut segments = Vec::with_capacity(bases.len() + 1);
        if let Some((active, sealed)) = bases.split_last() {
            for base in sealed {
                segments.push(Segment::open_sealed(&folder, *base, &mut producers)?);
            }
            segments.push(Segment::open_active(&folder, *active, &mut producers)?);
        } else {
            segments.push(Segment::create(&folder, 0)?);
        }
        for pair in segments.windows(2) {
            let (end, next) = (pair[0].next_offset(), pair[1].base_offset());
            if end != next {
                return Err(Error::Gap { folder, end, next });
            }
        }
        let deleted = fs::read_to_string(folder.join(START)).ok();
        let deleted = deleted.and_then(|text| text.trim().parse().ok()).unwrap_or_default();
        let start = segments[0].base_offset().max(deleted);
        Ok(Self { folder, segments, producers, start, is_dirty: false, segment_bytes })
    }

    /// The offset of the first record kept.
    pub fn start(&self) -> i64 {
        self.start
    }

    /// The offset that the next record gets.
    pub fn end(&self) -> i64 {
        self.active().next_offset()
    }

    /// Appends a batch, and tells the offset of its first record. A copy of one that is there is not
    /// appended again.
    ///
    /// # Errors
    /// [`Error::Api`] for a producer that must not write this.
    pub fn append(&mut self, mut batch: Batch) -> Result<i64> {
        let offset = self.end();
        batch.base_offset = offset;
        // Of the one broker there is.
        batch.partition_leader_epoch = 0;
        let head = Head::of(&batch);
        if let Verdict::Duplicate(offset) = self.producers.check(&head).map_err(Error::Api)? {
            return Ok(offset);
        }
        if self.active().bytes() >= self.segment_bytes {
            self.roll()?;
        }
        self.active_mut().append(batch)?;
        self.producers.note(&head);
        self.is_dirty = true;
        Ok(offset)
    }

    fn roll(&mut self) -> Result<()> {
        self.active().seal(&self.producers)?;
        let next = Segment::create(&self.folder, self.end())?;
        self.segments.push(next);
        Ok(())
    }

    /// Batches from the one that holds `offset` on: one where there is one, then as many as
    /// `bytes_max` allows; none at the end.
    pub fn read(&self, offset: i64, bytes_max: usize) -> Result<Vec<Batch>> {
        let after = self.segments.partition_point(|segment| segment.base_offset() <= offset);
        let segment = &self.segments[after.saturating_sub(1)];
        segment.read(offset, bytes_max)
    }

    /// Offset and time of the first record of this time or later.
    pub fn find_time(&self, timestamp: i64) -> Result<Option<(i64, i64)>> {
        let mut segments = self.segments.iter();
        let Some(segment) = segments.find(|segment| segment.max_timestamp() >= timestamp) else {
            return Ok(None);
        };
        let Some(batch) = segment.find_time(timestamp)? else { return Ok(None) };
        let (base_offset, base_timestamp) = (batch.base_offset, batch.base_timestamp);
        let records = Vec::<nisshi_sans_io::record::Record>::try_from(&batch)
            .map_err(|error| Error::Batch(error.to_string()))?;
        let of = |record: &nisshi_sans_io::record::Record| {
            (base_offset + i64::from(record.offset_delta), base_timestamp + record.timestamp_delta)
        };
        Ok(records.iter().map(of).find(|(offset, time)| *time >= timestamp && *offset >= self.start))
    }

    /// Deletes the records before `offset`, which must not be past the end.
    pub fn delete_before(&mut self, offset: i64) -> Result<()> {
        if offset <= self.start {
            return Ok(());
        }
        let unfinished = self.folder.join("start.new");
        fs::write(&unfinished, offset.to_string())?;
        fs::rename(unfinished, self.folder.join(START))?;
        self.start = offset;
        self.drop_while(|segment, _| segment.next_offset() <= offset)
    }

    /// Deletes whole segments that the topic need not keep.
    pub fn retain(&mut self, retention: Retention, now: i64) -> Result<()> {
        if let Some(keep) = retention.milliseconds {
            if self.active().bytes() > 0 && self.active().max_timestamp() < now - keep {
                self.roll()?;
            }
            self.drop_while(|segment, _| segment.max_timestamp() < now - keep)?;
        }
        if let Some(keep) = retention.bytes {
            self.drop_while(|segment, bytes| bytes - segment.bytes() >= keep)?;
        }
        Ok(())
    }

    /// Drops sealed segments from the oldest on; `is_over` is told a segment and the bytes of all that
    /// are left.
    fn drop_while(&mut self, is_over: impl Fn(&Segment, u64) -> bool) -> Result<()> {
        let mut bytes: u64 = self.segments.iter().map(Segment::bytes).sum();
        while self.segments.len() > 1 && is_over(&self.segments[0], bytes) {
            bytes -= self.segments[0].bytes();
            self.segments.remove(0).remove()?;
            self.start = self.start.max(self.segments[0].base_offset());
        }
        Ok(())
    }

    /// A file to make durable, if something was written to it since the last call.
    pub fn take_dirty(&mut self) -> Result<Option<fs::File>> {
        if !std::mem::take(&mut self.is_dirty) {
            return Ok(None);
        }
        self.active().handle().map(Some)
    }

    fn active(&self) -> &Segment {
        self.segments.last().expect("a partition has a segment")
    }

    fn active_mut(&mut self) -> &mut Segment {
        self.segments.last_mut().expect("a partition has a segment")
    }
}

/// Base offsets of the segments there are, ascending.
fn bases(folder: &Path) -> Result<Vec<i64>> {
    let mut bases = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "log") {
            let name = path.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
            bases.push(name.parse().map_err(|_| Error::Stranger(path.clone()))?);
        }
    }
    bases.sort_unstable();
    Ok(bases)
}

#[cfg(test)]
mod tests;
