//! What makes a difference a refusal.

use crate::diff::{Disruption, Report};

/// What makes a difference a refusal.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Gates (exit code 5)")]
pub(super) struct Gates {
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
    #[arg(long, value_name = "AMOUNT")]
    max_cost: Option<f64>,
}

fn disruption(name: &str) -> Result<Disruption, String> {
    let known = || Disruption::ALL.map(Disruption::name).join(", ");
    Disruption::by_name(name.trim()).ok_or_else(|| format!("there is no class {name:?}; the classes are {}", known()))
}

impl Gates {
    /// Why a difference is refused.
    pub(super) fn refusals(&self, report: &Report) -> Vec<String> {
        let mut refusals = Vec::new();
        for owner in &report.owners {
            for object in owner.objects.iter().filter(|object| self.fail_on.contains(&object.disruption)) {
                refusals.push(format!("{}: {}, which --fail-on {} refuses", object.reference, object.does(), object.disruption.name()));
            }
        }
        let (_, after) = report.totals.all();
        let mut limit = |what: &str, flag: &str, most: Option<u64>, count: u64| {
            if let Some(most) = most.filter(|most| count > *most) {
                refusals.push(format!("{count} {what}, and {flag} allows {most}"));
            }
        };
        limit("GPUs", "--max-gpus", self.max_gpus, after.gpus);
        limit("nodes", "--max-nodes", self.max_nodes, after.nodes);
        if let Some(most) = self.max_cost {
            match &report.totals.cost {
                None => refusals.push("--max-cost needs prices in kaito.yaml".to_owned()),
                Some(cost) if cost.after > most => {
                    refusals.push(format!("{:.0} {} a month, and --max-cost allows {most}", cost.after, cost.currency));
                }
                Some(_) => {}
            }
        }
        refusals
    }
}
