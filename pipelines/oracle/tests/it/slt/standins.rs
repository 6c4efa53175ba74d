//! Files that DataFusion keeps outside the package, or makes with a tool: others with the same columns.
//! What the views are compared with is batch SQL over the same rows, so any rows will do.

use std::path::Path;

use anyhow::Result;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use tempfile::TempDir;

use crate::tpch::generate;

/// Where the files name them, and where they are below our folder.
pub const PLACES: [(&str, &str); 3] = [
    ("../../testing/data/csv/", "testing/"),
    ("../core/tests/data/", "core/"),
    ("test_files/tpch/data/", "tpch/"),
];

/// A folder with all of them.
pub fn write() -> Result<TempDir> {
    let folder = tempfile::tempdir()?;
    let path = folder.path();
    PLACES.iter().try_for_each(|(_, place)| std::fs::create_dir(path.join(place)))?;
    for table in generate::tables(1) {
        let name = format!("tpch/{}.tbl", table.name);
        std::fs::write(path.join(name), generate::tbl(&table))?;
    }
    std::fs::write(path.join("testing/aggregate_test_100.csv"), aggregates(false))?;
    std::fs::write(path.join("testing/aggregate_test_100_with_dates.csv"), aggregates(true))?;
    windows(path)?;
    let simple = "c1,c2,c3\n0.00001,0.000000000001,true\n0.00002,0.000000000002,false\n\
                  0.00002,0.000000000002,false\n0.00003,0.000000000003,true\n";
    std::fs::write(path.join("core/aggregate_simple.csv"), simple)?;
    Ok(folder)
}

fn aggregates(with_dates: bool) -> String {
    let mut random = ChaCha8Rng::seed_from_u64(1);
    let mut text = "c1,c2,c3,c4,c5,c6,c7,c8,c9,c10,c11,c12,c13".to_owned();
    text.push_str(if with_dates { ",c14,c15\n" } else { "\n" });
    for row in 0..100 {
        let letter = |random: &mut ChaCha8Rng| char::from(b'a' + random.random_range(0..26));
        let c1 = char::from(b'a' + random.random_range(0..5));
        let numbers = [
            random.random_range(1..6).to_string(),
            random.random_range(-128..128_i64).to_string(),
            random.random_range(-32_768..32_768_i64).to_string(),
            random.random::<i32>().to_string(),
            random.random::<i64>().to_string(),
            random.random_range(0..256_i64).to_string(),
            random.random_range(0..65_536_i64).to_string(),
            random.random::<u32>().to_string(),
            random.random::<u64>().to_string(),
            random.random::<f32>().to_string(),
            random.random::<f64>().to_string(),
        ];
        let word: String = (0..30).map(|_| letter(&mut random)).collect();
        text.push_str(&format!("{c1},{},{word}", numbers.join(",")));
        if with_dates {
            let (day, hour) = (row % 28 + 1, row % 24);
            text.push_str(&format!(",2024-02-{day:02},2024-02-{day:02}T{hour:02}:00:00"));
        }
        text.push('\n');
    }
    text
}

/// `window_2.csv` is sorted by a, b and c, as its tables declare.
fn windows(folder: &Path) -> Result<()> {
    let mut text = "a0,a,b,c,d\n".to_owned();
    for row in 0..100 {
        text.push_str(&format!("1,{},{},{row},{}\n", row / 50, row / 25, row * 7 % 5));
    }
    Ok(std::fs::write(folder.join("core/window_2.csv"), text)?)
}
