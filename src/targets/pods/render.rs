//! What happened to a pod, in one line for an agent to read, and whether it concerns one. Pure.

use crate::limits::POD_LINE_BYTES_MAX;

use super::wire::{PodEvent, cut_to};

/// A text of somebody else as part of one line.
fn in_line(text: &str) -> String {
    let words: Vec<&str> = text.split_whitespace().collect();
    let mut line = words.join(" ");
    line.retain(|c| !c.is_control());
    cut_to(&line, POD_LINE_BYTES_MAX)
}

/// One line for each report. It names the pods, and says why where something failed.
#[must_use]
pub fn render(event: &PodEvent) -> String {
    match event {
        PodEvent::TurnEnded { pod_name } => format!("pod `{}` ended its turn", in_line(pod_name)),
        PodEvent::Errored { pod_name, message } => {
            format!("pod `{}` failed: {}", in_line(pod_name), in_line(message))
        }
        PodEvent::ShutDown { pod_name } => format!("pod `{}` shut down", in_line(pod_name)),
        PodEvent::ScopeSubDelegated { parent_pod, sub_pod, .. } => {
            format!("pod `{}` spawned pod `{}`", in_line(parent_pod), in_line(sub_pod))
        }
    }
}

/// The same where it concerns an agent; empty where it is the launcher's own affair: an agent must
/// not wake because a pod of its pod has one more.
#[must_use]
pub fn visible(event: &PodEvent) -> String {
    match event {
        PodEvent::TurnEnded { .. } | PodEvent::Errored { .. } | PodEvent::ShutDown { .. } => {
            render(event)
        }
        PodEvent::ScopeSubDelegated { .. } => String::new(),
    }
}

/// One line for the end of a pod's process.
#[must_use]
pub fn exited(pod_name: &str, how: &str) -> String {
    format!("the process of pod `{}` is gone: {}", in_line(pod_name), in_line(how))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn errored(message: &str) -> PodEvent {
        PodEvent::Errored { pod_name: "b".into(), message: message.into() }
    }

    fn delegated() -> PodEvent {
        let (parent_pod, sub_pod) = ("b".into(), "c".into());
        PodEvent::ScopeSubDelegated { parent_pod, sub_pod, sub_socket: "/s".into(), scope: vec![] }
    }

    #[test]
    fn bg_pods_a01_each_report_names_its_pods_in_one_line() {
        let of = |event: &PodEvent| render(event);
        let pod_name = || "b".to_owned();
        assert_eq!(of(&PodEvent::TurnEnded { pod_name: pod_name() }), "pod `b` ended its turn");
        assert_eq!(of(&errored("no way")), "pod `b` failed: no way");
        assert_eq!(of(&PodEvent::ShutDown { pod_name: pod_name() }), "pod `b` shut down");
        assert_eq!(of(&delegated()), "pod `b` spawned pod `c`");
        assert_eq!(of(&errored("a\n\tb\u{1b}[31m\r\n")), "pod `b` failed: a b[31m");
        let long = of(&errored(&"ä".repeat(POD_LINE_BYTES_MAX)));
        assert!(long.len() < POD_LINE_BYTES_MAX + 40 && long.ends_with('…'));
    }

    /// bg_pods_a09, bg_pods_a10: that a pod has one more wakes no agent; the end of a turn does.
    #[test]
    fn bg_pods_a09_what_is_no_agents_affair_wakes_none() {
        assert_eq!(visible(&delegated()), "");
        assert_eq!(visible(&errored("x")), "pod `b` failed: x");
        assert!(!visible(&PodEvent::TurnEnded { pod_name: "b".into() }).is_empty());
    }
}
