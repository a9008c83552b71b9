//! How long ago something was, as kubectl writes it.

use jiff::Timestamp;

const MINUTE: i64 = 60;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;
const YEAR: i64 = 365 * DAY;

/// How long ago a moment was, `now` being the seconds since 1970: `45s`, `3m12s`, `5d3h`. The moment is as the server writes it; of one
/// that is none, nothing is known.
///
/// Source: `HumanDuration` of `k8s.io/apimachinery/pkg/util/duration`, which gives two figures while the second one matters.
pub fn age(moment: &str, now: i64) -> String {
    let Ok(moment) = moment.parse::<Timestamp>() else { return "<unknown>".to_owned() };
    // Clocks differ a little.
    let seconds = now.saturating_sub(moment.as_second()).max(0);
    let two = |large: i64, unit: &str, small: i64, rest: &str| match seconds % large / small {
        0 => format!("{}{unit}", seconds / large),
        more => format!("{}{unit}{more}{rest}", seconds / large),
    };
    match seconds {
        0..120 => format!("{seconds}s"),
        120..600 => two(MINUTE, "m", 1, "s"),
        600..10_800 => format!("{}m", seconds / MINUTE),
        10_800..28_800 => two(HOUR, "h", MINUTE, "m"),
        28_800..172_800 => format!("{}h", seconds / HOUR),
        172_800..691_200 => two(DAY, "d", HOUR, "h"),
        691_200..63_072_000 => format!("{}d", seconds / DAY),
        63_072_000..252_288_000 => two(YEAR, "y", DAY, "d"),
        _ => format!("{}y", seconds / YEAR),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_are_kubectls() {
        let table = [
            (-30, "0s"),
            (0, "0s"),
            (119, "119s"),
            (120, "2m"),
            (125, "2m5s"),
            (599, "9m59s"),
            (600, "10m"),
            (179 * 60, "179m"),
            (180 * 60, "3h"),
            (200 * 60, "3h20m"),
            (8 * HOUR, "8h"),
            (47 * HOUR, "47h"),
            (48 * HOUR, "2d"),
            (123 * HOUR, "5d3h"),
            (8 * DAY, "8d"),
            (729 * DAY, "729d"),
            (730 * DAY, "2y"),
            (735 * DAY, "2y5d"),
            (8 * YEAR + DAY, "8y"),
        ];
        let start = "2026-01-02T00:00:00Z";
        let at = start.parse::<Timestamp>().unwrap().as_second();
        for (seconds, want) in table {
            assert_eq!(age(start, at + seconds), want, "{seconds}");
        }
        assert_eq!(age("yesterday", at), "<unknown>");
    }
}
