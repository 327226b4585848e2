//! Groups: tables of classes and a table of what becomes of their combinations.

use super::region::Region;
use super::{Addresses, Field, Outcome, Sets, Table, number::Numbers};
use std::collections::{BTreeMap, HashMap};
use std::hash::{DefaultHasher, Hash, Hasher};

/// The regions that a value lies in, by their numbers in the group, in order.
pub(super) type Signature = Vec<usize>;
/// Classes, one for each of the group's fields.
pub(super) type Combination = Vec<u32>;

/// One group of rules.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Group {
    /// What it is called among the groups of its list and protocol.
    pub(crate) name: String,
    /// The tables of the fields that it looks at, in order.
    pub(crate) tables: Vec<(Field, Table)>,
    /// What becomes of combinations of classes; without fields, of everything.
    pub(crate) outcomes: BTreeMap<Combination, Outcome>,
}

/// A field's classes while they are being made: one for each signature.
pub(super) struct Classes {
    identities: Vec<u64>,
    numbers: HashMap<Signature, u32>,
    taken: HashMap<u32, Signature>,
    /// Whether values that no region singles out need a class too.
    total: bool,
}

impl Classes {
    fn new(field: Field, regions: &[Region]) -> Self {
        let identities = regions
            .iter()
            .map(|region| {
                let mut hasher = DefaultHasher::new();
                region.apart_from(field).hash(&mut hasher);
                hasher.finish()
            })
            .collect();
        Self {
            identities,
            numbers: HashMap::new(),
            taken: HashMap::new(),
            total: regions.iter().any(|region| !region.looks_at(field)),
        }
    }

    /// The class of a signature. Its number comes from what its regions say, so that it stays the
    /// same while others come and go.
    pub(super) fn of(&mut self, signature: Signature) -> u32 {
        if let Some(number) = self.numbers.get(&signature) {
            return *number;
        }
        let mut hasher = DefaultHasher::new();
        for who in &signature {
            self.identities.get(*who).hash(&mut hasher);
        }
        let mut number = hasher.finish() as u32;
        while self.taken.contains_key(&number) {
            number = number.wrapping_add(1);
        }
        self.taken.insert(number, signature.clone());
        self.numbers.insert(signature, number);
        number
    }

    /// The class of values that no region singles out.
    pub(super) fn rest(&mut self) -> Option<u32> {
        self.total.then(|| self.of(Signature::new()))
    }

    /// For each region, the classes of values that lie in it.
    fn by_region(&self, field: Field, regions: &[Region]) -> Vec<Vec<u32>> {
        let mut classes = vec![Vec::new(); regions.len()];
        for (signature, number) in &self.numbers {
            for who in signature {
                if let Some(mine) = classes.get_mut(*who) {
                    mine.push(*number);
                }
            }
        }
        for (region, mine) in regions.iter().zip(&mut classes) {
            if !region.looks_at(field) {
                *mine = self.numbers.values().copied().collect();
            }
        }
        classes
    }
}

impl Group {
    /// Compiles regions that look at these fields or fewer.
    pub(super) fn compile(
        name: String,
        fields: &[Field],
        regions: &[Region],
        sets: &Sets<'_>,
    ) -> Self {
        let (tables, classes) = tables(fields, regions, sets);
        let outcomes = outcomes(regions, &classes);
        Self {
            name,
            tables,
            outcomes,
        }
    }

    /// The same, if it has no more combinations than this.
    pub(super) fn compile_within(
        name: String,
        fields: &[Field],
        regions: &[Region],
        sets: &Sets<'_>,
        most: usize,
    ) -> Option<Self> {
        let (tables, classes) = tables(fields, regions, sets);
        let combinations: usize = (0..regions.len())
            .map(|region| {
                classes
                    .iter()
                    .filter_map(|field| field.get(region))
                    .fold(1usize, |product, mine| product.saturating_mul(mine.len()))
            })
            .fold(0, usize::saturating_add);
        (combinations <= most).then(|| Self {
            name,
            tables,
            outcomes: outcomes(regions, &classes),
        })
    }
}

/// The tables of fields, and for each field the classes that lie in each region.
#[allow(
    clippy::type_complexity,
    reason = "two parallel lists, taken apart at once by the callers"
)]
fn tables(
    fields: &[Field],
    regions: &[Region],
    sets: &Sets<'_>,
) -> (Vec<(Field, Table)>, Vec<Vec<Vec<u32>>>) {
    fields
        .iter()
        .map(|field| {
            let mut classes = Classes::new(*field, regions);
            let table = table(*field, regions, sets, &mut classes);
            ((*field, table), classes.by_region(*field, regions))
        })
        .unzip()
}

fn table(field: Field, regions: &[Region], sets: &Sets<'_>, classes: &mut Classes) -> Table {
    let numbered = || regions.iter().enumerate();
    match field {
        Field::Source | Field::Destination => {
            let terms = numbered().flat_map(|(who, region)| {
                let terms = region.addresses(field).into_iter().flatten();
                terms.map(move |term| (term, who))
            });
            Table::Addresses(Addresses::compile(terms, sets, classes))
        }
        Field::First | Field::Second => {
            let ranges: Vec<_> = numbered()
                .flat_map(|(who, region)| {
                    let ranges = region.numbers(field).into_iter().flatten();
                    ranges.map(move |range| (*range, who))
                })
                .collect();
            Table::Numbers(Numbers::compile(&ranges, classes))
        }
    }
}

/// The deciding outcome of every combination that lies in a region.
fn outcomes(regions: &[Region], classes: &[Vec<Vec<u32>>]) -> BTreeMap<Combination, Outcome> {
    let mut order: Vec<usize> = (0..regions.len()).collect();
    order.sort_by_key(|who| regions.get(*who).map(|region| region.level));
    let mut outcomes = BTreeMap::new();
    for who in order {
        let Some(region) = regions.get(who) else {
            continue;
        };
        let mut combinations: Vec<Combination> = vec![Vec::new()];
        for mine in classes.iter().filter_map(|field| field.get(who)) {
            combinations = combinations
                .iter()
                .flat_map(|begun| {
                    mine.iter().map(move |class| {
                        let mut longer = begun.clone();
                        longer.push(*class);
                        longer
                    })
                })
                .collect();
        }
        for combination in combinations {
            outcomes.entry(combination).or_insert(region.outcome);
        }
    }
    outcomes
}
