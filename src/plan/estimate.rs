//! How many nodes a model needs.
//!
//! Source: the node estimator of Kaito 0.12, with its order of operations, so that the rounding agrees.

use crate::preset::{Model, Sizing};
use crate::quantity::{self, gib_text};
use crate::sku::NodeShape;

/// The estimate.
#[derive(Clone, Copy, Debug)]
pub struct Estimate {
    /// GPUs that the weights need.
    pub gpus: u64,
    /// Nodes that have so many GPUs.
    pub nodes: u64,
}

/// One GPU is too small for anything.
#[derive(Clone, Copy, Debug)]
pub struct TooSmall {
    /// What of one GPU can be used, in bytes.
    pub usable: f64,
    /// What the runtime and the KV cache take of it, in bytes.
    pub reserved: f64,
}

#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "Kaito computes in float64 and truncates"
)]
/// Estimates the nodes for a model with a context of `context` tokens.
///
/// # Errors
/// One GPU can't even hold what the runtime and the KV cache take.
pub fn estimate(model: &Model, shape: &NodeShape, context: u64, sizing: &Sizing) -> Result<Estimate, TooSmall> {
    let figures = &sizing.node_estimate;
    let weights = model.weights_bytes() as f64 * figures.weights_factor;
    let usable = shape.memory_per_gpu() as f64 * figures.utilization;
    let reserve = reserve_bytes(figures.reserve.as_str());
    let kv_cache = context.saturating_mul(model.kv_bytes_per_token()) as f64 / shape.gpus as f64;
    let reserved = reserve + kv_cache;
    if usable <= reserved {
        return Err(TooSmall { usable, reserved });
    }
    let for_weights = (usable - reserved) / figures.packing;
    let gpus = (weights / for_weights) as u64 + 1;
    Ok(Estimate { gpus, nodes: gpus.div_ceil(shape.gpus) })
}

/// 2.3Gi is 2.3 x 2^30 here, not rounded up to a byte.
#[expect(clippy::cast_precision_loss, reason = "a few GiB")]
fn reserve_bytes(text: &str) -> f64 {
    let gib = text.strip_suffix("Gi").and_then(|number| number.parse::<f64>().ok());
    gib.map_or_else(|| quantity::bytes(text).unwrap_or(0) as f64, |gib| gib * quantity::GIB as f64)
}

impl Estimate {
    /// The formula with its figures filled in.
    pub fn formula(&self, model: &Model, shape: &NodeShape, context: u64, sizing: &Sizing) -> String {
        let figures = &sizing.node_estimate;
        format!(
            "floor({} x {} / (({} x {} - {} - {context} tokens x {} bytes / {}) / {})) + 1 = {} GPUs; ceil({} / {}) = {} nodes",
            model.weights.as_str(),
            figures.weights_factor,
            gib_text(shape.memory_per_gpu()),
            figures.utilization,
            figures.reserve.as_str(),
            model.kv_bytes_per_token(),
            shape.gpus,
            figures.packing,
            self.gpus,
            self.gpus,
            shape.gpus,
            self.nodes
        )
    }
}

/// A figure in bytes, for people.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "two decimals are shown")]
pub(super) fn gib(bytes: f64) -> String {
    gib_text(bytes.max(0.0) as u64)
}
