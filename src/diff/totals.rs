//! Nodes, GPUs and money of everything, before and after.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Summary;

/// What nodes cost, as `kaito.yaml` says.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Prices {
    /// The currency, such as `USD`.
    pub currency: String,
    /// What one node of a size costs in an hour.
    pub per_hour: BTreeMap<String, f64>,
}

/// Hours of a month, as clouds count them.
const HOURS: f64 = 730.0;

/// Nodes of one size.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Count {
    /// Nodes.
    pub nodes: u64,
    /// Their GPUs.
    pub gpus: u64,
}

/// Everything, before and after.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Totals {
    /// By size, before and after; nodes of one's own are `own`.
    pub by_size: BTreeMap<String, (Count, Count)>,
    /// What all of them cost in a month, before and after, if prices are known.
    pub cost: Option<Cost>,
}

/// What nodes cost in a month.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Cost {
    /// The currency.
    pub currency: String,
    /// Before.
    pub before: f64,
    /// After.
    pub after: f64,
    /// Sizes in use without a price.
    pub without_price: Vec<String>,
}

impl Totals {
    /// The totals of what is there before and after.
    pub fn new<'s>(before: impl Iterator<Item = &'s Summary>, after: impl Iterator<Item = &'s Summary>, prices: Option<&Prices>) -> Self {
        let mut by_size: BTreeMap<String, (Count, Count)> = BTreeMap::new();
        let size = |summary: &Summary| summary.instance_type.clone().unwrap_or_else(|| "own".to_owned());
        for summary in before.filter(|summary| summary.nodes > 0) {
            by_size.entry(size(summary)).or_default().0.add(summary);
        }
        for summary in after.filter(|summary| summary.nodes > 0) {
            by_size.entry(size(summary)).or_default().1.add(summary);
        }
        let cost = prices.map(|prices| Cost::new(&by_size, prices));
        Self { by_size, cost }
    }

    /// Nodes and GPUs of all sizes, before and after.
    pub fn all(&self) -> (Count, Count) {
        let mut all = (Count::default(), Count::default());
        for (before, after) in self.by_size.values() {
            all.0.nodes += before.nodes;
            all.0.gpus += before.gpus;
            all.1.nodes += after.nodes;
            all.1.gpus += after.gpus;
        }
        all
    }
}

impl Count {
    fn add(&mut self, summary: &Summary) {
        self.nodes += summary.nodes;
        self.gpus += summary.gpus;
    }
}

impl Cost {
    fn new(by_size: &BTreeMap<String, (Count, Count)>, prices: &Prices) -> Self {
        #[expect(clippy::cast_precision_loss, reason = "thousands of nodes")]
        let sum = |pick: fn(&(Count, Count)) -> u64| {
            let costs =
                by_size.iter().map(|(size, counts)| prices.per_hour.get(size).copied().unwrap_or(0.0) * pick(counts) as f64 * HOURS);
            costs.sum::<f64>()
        };
        let without_price = by_size.keys().filter(|size| *size != "own" && !prices.per_hour.contains_key(*size)).cloned().collect();
        Self { currency: prices.currency.clone(), before: sum(|counts| counts.0.nodes), after: sum(|counts| counts.1.nodes), without_price }
    }
}
