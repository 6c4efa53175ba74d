//! The eight tables of TPC-H, tiny, with values that the queries' conditions meet often.

use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// A table as text: columns with their SQL types, the key, and rows.
pub struct Generated {
    pub name: &'static str,
    pub columns: &'static [(&'static str, &'static str)],
    pub key: &'static [&'static str],
    pub rows: Vec<Vec<String>>,
}

const MONEY: &str = "decimal(15, 2)";

const NATIONS: [(&str, usize); 25] = [
    ("ALGERIA", 0),
    ("ARGENTINA", 1),
    ("BRAZIL", 1),
    ("CANADA", 1),
    ("EGYPT", 4),
    ("ETHIOPIA", 0),
    ("FRANCE", 3),
    ("GERMANY", 3),
    ("INDIA", 2),
    ("INDONESIA", 2),
    ("IRAN", 4),
    ("IRAQ", 4),
    ("JAPAN", 2),
    ("JORDAN", 4),
    ("KENYA", 0),
    ("MOROCCO", 0),
    ("MOZAMBIQUE", 0),
    ("PERU", 1),
    ("CHINA", 2),
    ("ROMANIA", 3),
    ("SAUDI ARABIA", 4),
    ("VIETNAM", 2),
    ("RUSSIA", 3),
    ("UNITED KINGDOM", 3),
    ("UNITED STATES", 1),
];
/// Suppliers of each part.
const OFFERS: usize = 3;

/// The supplier of a part's `offer`th offer.
fn offered_by(part: usize, offer: usize, suppliers: usize) -> usize {
    (part * 7 + offer * 5) % suppliers + 1
}

/// The nations that the queries ask for.
const ASKED: [usize; 7] = [2, 3, 6, 7, 8, 12, 20];

struct Dice(ChaCha8Rng);

impl Dice {
    fn below(&mut self, end: usize) -> usize {
        self.0.random_range(0..end)
    }

    fn of(&mut self, values: &[&str]) -> String {
        (*values.choose(&mut self.0).expect("there are values")).to_owned()
    }

    fn money(&mut self, from: i64, to: i64) -> String {
        let cents = self.0.random_range(from..to);
        let sign = if cents < 0 { "-" } else { "" };
        format!("{sign}{}.{:02}", cents.abs() / 100, cents.abs() % 100)
    }

    fn nation(&mut self) -> String {
        let nation = match self.0.random_bool(0.7) {
            true => *ASKED.choose(&mut self.0).expect("there are nations"),
            false => self.below(NATIONS.len()),
        };
        nation.to_string()
    }

    fn phone(&mut self) -> String {
        let country = self.of(&["13", "31", "23", "29", "30", "18", "17", "11", "25"]);
        format!("{country}-{:03}-{:03}", self.below(1000), self.below(1000))
    }
}

/// A day of the years the queries ask about, `day` after the first of 1992.
fn date(day: usize) -> String {
    let first = chrono::NaiveDate::from_ymd_opt(1992, 1, 1).expect("a date");
    (first + chrono::Days::new(day as u64)).to_string()
}

/// The tables; the same seed gives the same rows.
pub fn tables(seed: u64) -> Vec<Generated> {
    let mut dice = Dice(ChaCha8Rng::seed_from_u64(seed));
    let (suppliers, parts, customers, orders) = (16, 30, 30, 240);
    let mut tables = vec![regions(), nations()];
    tables.push(supplier(&mut dice, suppliers));
    tables.push(part(&mut dice, parts));
    tables.push(partsupp(&mut dice, parts, suppliers));
    tables.push(customer(&mut dice, customers));
    tables.extend(orders_and_lines(&mut dice, orders, customers, parts, suppliers));
    tables
}

fn regions() -> Generated {
    let names = ["AFRICA", "AMERICA", "ASIA", "EUROPE", "MIDDLE EAST"];
    let row =
        |(key, name): (usize, &&str)| vec![key.to_string(), (*name).to_owned(), String::new()];
    Generated {
        name: "region",
        columns: &[("r_regionkey", "bigint"), ("r_name", "varchar"), ("r_comment", "varchar")],
        key: &["r_regionkey"],
        rows: names.iter().enumerate().map(row).collect(),
    }
}

fn nations() -> Generated {
    let row = |(key, (name, region)): (usize, &(&str, usize))| {
        vec![key.to_string(), (*name).to_owned(), region.to_string(), String::new()]
    };
    Generated {
        name: "nation",
        columns: &[
            ("n_nationkey", "bigint"),
            ("n_name", "varchar"),
            ("n_regionkey", "bigint"),
            ("n_comment", "varchar"),
        ],
        key: &["n_nationkey"],
        rows: NATIONS.iter().enumerate().map(row).collect(),
    }
}

fn supplier(dice: &mut Dice, count: usize) -> Generated {
    let row = |key: usize| {
        vec![
            key.to_string(),
            format!("Supplier#{key:09}"),
            format!("{} Street", dice.below(99)),
            dice.nation(),
            dice.phone(),
            dice.money(-99_999, 999_999),
            dice.of(&["quick", "Customer said Complaints", "slow"]),
        ]
    };
    Generated {
        name: "supplier",
        columns: &[
            ("s_suppkey", "bigint"),
            ("s_name", "varchar"),
            ("s_address", "varchar"),
            ("s_nationkey", "bigint"),
            ("s_phone", "varchar"),
            ("s_acctbal", MONEY),
            ("s_comment", "varchar"),
        ],
        key: &["s_suppkey"],
        rows: (1..=count).map(row).collect(),
    }
}

fn part(dice: &mut Dice, count: usize) -> Generated {
    let types = [
        "LARGE BRUSHED BRASS",
        "SMALL PLATED BRASS",
        "ECONOMY ANODIZED STEEL",
        "PROMO BURNISHED COPPER",
        "MEDIUM POLISHED TIN",
    ];
    let containers = ["SM CASE", "SM BOX", "MED BAG", "MED BOX", "LG CASE", "LG BOX", "JUMBO PKG"];
    let sizes = ["1", "3", "5", "9", "14", "15", "15", "23", "49"];
    let row = |key: usize| {
        vec![
            key.to_string(),
            dice.of(&["forest chiffon", "green ivory", "red green", "blue linen"]),
            dice.of(&["Manufacturer#1", "Manufacturer#2"]),
            dice.of(&["Brand#12", "Brand#23", "Brand#34", "Brand#45"]),
            dice.of(&types),
            dice.of(&sizes),
            dice.of(&containers),
            dice.money(90_000, 200_000),
            String::new(),
        ]
    };
    Generated {
        name: "part",
        columns: &[
            ("p_partkey", "bigint"),
            ("p_name", "varchar"),
            ("p_mfgr", "varchar"),
            ("p_brand", "varchar"),
            ("p_type", "varchar"),
            ("p_size", "int"),
            ("p_container", "varchar"),
            ("p_retailprice", MONEY),
            ("p_comment", "varchar"),
        ],
        key: &["p_partkey"],
        rows: (1..=count).map(row).collect(),
    }
}

fn partsupp(dice: &mut Dice, parts: usize, suppliers: usize) -> Generated {
    let mut rows = Vec::new();
    for part in 1..=parts {
        for offer in 0..OFFERS {
            rows.push(vec![
                part.to_string(),
                offered_by(part, offer, suppliers).to_string(),
                dice.below(10_000).to_string(),
                dice.money(100, 5_000),
                String::new(),
            ]);
        }
    }
    Generated {
        name: "partsupp",
        columns: &[
            ("ps_partkey", "bigint"),
            ("ps_suppkey", "bigint"),
            ("ps_availqty", "int"),
            ("ps_supplycost", MONEY),
            ("ps_comment", "varchar"),
        ],
        key: &["ps_partkey", "ps_suppkey"],
        rows,
    }
}

fn customer(dice: &mut Dice, count: usize) -> Generated {
    let row = |key: usize| {
        vec![
            key.to_string(),
            format!("Customer#{key:09}"),
            format!("{} Road", dice.below(99)),
            dice.nation(),
            dice.phone(),
            dice.money(-99_999, 999_999),
            dice.of(&["BUILDING", "BUILDING", "MACHINERY"]),
            String::new(),
        ]
    };
    Generated {
        name: "customer",
        columns: &[
            ("c_custkey", "bigint"),
            ("c_name", "varchar"),
            ("c_address", "varchar"),
            ("c_nationkey", "bigint"),
            ("c_phone", "varchar"),
            ("c_acctbal", MONEY),
            ("c_mktsegment", "varchar"),
            ("c_comment", "varchar"),
        ],
        key: &["c_custkey"],
        rows: (1..=count).map(row).collect(),
    }
}

fn orders_and_lines(
    dice: &mut Dice,
    orders: usize,
    customers: usize,
    parts: usize,
    suppliers: usize,
) -> [Generated; 2] {
    let (mut rows, mut lines) = (Vec::new(), Vec::new());
    for order in 1..=orders {
        // A third of the customers never order.
        let customer = dice.below(customers / 3 * 2) + 1;
        let day = dice.below(2_400);
        rows.push(vec![
            order.to_string(),
            customer.to_string(),
            dice.of(&["F", "F", "O", "P"]),
            dice.money(100_000, 50_000_000),
            date(day),
            dice.of(&["1-URGENT", "2-HIGH", "3-MEDIUM", "5-LOW"]),
            format!("Clerk#{:09}", dice.below(5)),
            "0".to_owned(),
            dice.of(&["as always", "special quiet requests", "pending"]),
        ]);
        let count = if order.is_multiple_of(40) { 7 } else { dice.below(5) };
        for line in 1..=count {
            lines.push(order_line(dice, order, line, day, parts, suppliers));
        }
    }
    let orders = Generated {
        name: "orders",
        columns: &[
            ("o_orderkey", "bigint"),
            ("o_custkey", "bigint"),
            ("o_orderstatus", "varchar"),
            ("o_totalprice", MONEY),
            ("o_orderdate", "date"),
            ("o_orderpriority", "varchar"),
            ("o_clerk", "varchar"),
            ("o_shippriority", "int"),
            ("o_comment", "varchar"),
        ],
        key: &["o_orderkey"],
        rows,
    };
    let lineitem = Generated {
        name: "lineitem",
        columns: &[
            ("l_orderkey", "bigint"),
            ("l_partkey", "bigint"),
            ("l_suppkey", "bigint"),
            ("l_linenumber", "int"),
            ("l_quantity", MONEY),
            ("l_extendedprice", MONEY),
            ("l_discount", MONEY),
            ("l_tax", MONEY),
            ("l_returnflag", "varchar"),
            ("l_linestatus", "varchar"),
            ("l_shipdate", "date"),
            ("l_commitdate", "date"),
            ("l_receiptdate", "date"),
            ("l_shipinstruct", "varchar"),
            ("l_shipmode", "varchar"),
            ("l_comment", "varchar"),
        ],
        key: &["l_orderkey", "l_linenumber"],
        rows: lines,
    };
    [orders, lineitem]
}

fn order_line(
    dice: &mut Dice,
    order: usize,
    line: usize,
    day: usize,
    parts: usize,
    suppliers: usize,
) -> Vec<String> {
    let ship = day + 1 + dice.below(60);
    // Now and then an order of more than the three hundred pieces one query asks for.
    let quantity = if order.is_multiple_of(40) { 45 + dice.below(5) } else { 1 + dice.below(30) };
    let part = dice.below(parts) + 1;
    vec![
        order.to_string(),
        part.to_string(),
        offered_by(part, dice.below(OFFERS), suppliers).to_string(),
        line.to_string(),
        format!("{quantity}.00"),
        dice.money(100_000, 9_000_000),
        format!("0.{:02}", dice.below(11)),
        format!("0.{:02}", dice.below(9)),
        dice.of(&["R", "A", "N"]),
        dice.of(&["O", "F"]),
        date(ship),
        date(day + 20 + dice.below(40)),
        date(ship + 1 + dice.below(30)),
        dice.of(&["DELIVER IN PERSON", "NONE"]),
        dice.of(&["AIR", "AIR REG", "MAIL", "SHIP", "RAIL"]),
        String::new(),
    ]
}

/// The rows as the lines of a `.tbl` file: each value ends in a bar.
pub fn tbl(table: &Generated) -> String {
    table.rows.iter().map(|row| row.join("|") + "|\n").collect()
}
