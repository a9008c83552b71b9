//! What makes a difference a refusal.

use crate::diagnostic::plural;
use crate::diff::{Disruption, Report};

/// What makes a difference a refusal.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Gates (exit code 5)")]
pub(in crate::cli) struct Gates {
    /// Refuse these disruptions: rolling, replace, node, data
    #[arg(long, value_name = "CLASSES", value_delimiter = ',', value_parser = disruption)]
    fail_on: Vec<Disruption>,
    /// Most GPUs of all nodes
    #[arg(long, value_name = "N")]
    max_gpus: Option<u64>,
    /// Most nodes
    #[arg(long, value_name = "N")]
    max_nodes: Option<u64>,
    /// Most money a month, by the prices in kaito.yaml
    #[arg(long, value_name = "AMOUNT", value_parser = amount)]
    max_cost: Option<f64>,
}

fn disruption(name: &str) -> Result<Disruption, String> {
    let known = || Disruption::ALL.map(Disruption::name).join(", ");
    Disruption::by_name(name.trim()).ok_or_else(|| format!("there is no class {name:?}; the classes are {}", known()))
}

fn amount(text: &str) -> Result<f64, String> {
    // What is no number is neither more nor less than any.
    let amount = text.parse::<f64>().ok().filter(|amount| amount.is_finite() && *amount >= 0.0);
    amount.ok_or_else(|| "an amount of money is wanted, such as 20000".to_owned())
}

impl Gates {
    /// Whether there is a limit for all that there is afterwards, be it new or not.
    pub(in crate::cli) fn has_limits(&self) -> bool {
        self.max_gpus.is_some() || self.max_nodes.is_some() || self.max_cost.is_some()
    }

    /// Why a difference is refused.
    pub(in crate::cli) fn refusals(&self, report: &Report) -> Vec<String> {
        let mut refusals = Vec::new();
        for owner in &report.owners {
            for object in owner.objects.iter().filter(|object| self.fail_on.contains(&object.disruption)) {
                refusals.push(format!("{}: {}, which --fail-on {} refuses", object.reference, object.does(), object.disruption.name()));
            }
        }
        let (_, after) = report.totals.all();
        let mut limit = |what: &str, flag: &str, most: Option<u64>, count: u64| {
            if let Some(most) = most.filter(|most| count > *most) {
                refusals.push(format!("{}, and {flag} allows {most}", plural(count, what)));
            }
        };
        limit("GPU", "--max-gpus", self.max_gpus, after.gpus);
        limit("node", "--max-nodes", self.max_nodes, after.nodes);
        refusals.extend(self.max_cost.into_iter().flat_map(|most| too_dear(report, most)));
        refusals
    }
}

/// Why everything costs more than that, or may do so.
fn too_dear(report: &Report, most: f64) -> Vec<String> {
    let Some(cost) = &report.totals.cost else { return vec!["--max-cost needs prices in kaito.yaml".to_owned()] };
    let is_used = |size: &&String| report.totals.by_size.get(*size).is_some_and(|(_, after)| after.nodes > 0);
    let unknown = cost.without_price.iter().filter(is_used);
    let mut refusals: Vec<String> = unknown.map(|size| format!("{size} has no price in kaito.yaml, which --max-cost needs")).collect();
    if cost.after > most {
        refusals.push(format!("{:.0} {} a month, and --max-cost allows {most}", cost.after, cost.currency));
    }
    refusals
}
