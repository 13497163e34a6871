//! Templates as an operator writes them, right and wrong.

#![expect(clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeSet;
use std::path::Path;

use portwatch_domain::change::ChangeKind;
use portwatch_schemas::decode_content;

use super::*;

fn example(name: &str) -> Content {
    let file = format!("../../schemas/examples/notification.v1.{name}.json");
    let body = std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join(file)).unwrap();
    decode_content(&body).unwrap().1
}

fn of_line(line: &str) -> Result<Template, String> {
    Template::new(&TemplateSettings {
        line: line.to_owned(),
        ..TemplateSettings::default()
    })
}

fn error(line: &str) -> String {
    of_line(line).err().unwrap_or_default()
}

#[test]
fn what_is_given_is_said_in_ones_own_words() {
    let template = Template::new(&TemplateSettings {
        title: "[{{ severity | upper }}] {{ subject }} ({{ changes | length }})".to_owned(),
        line: "{{ change.kind }}: {% if change.port %}{{ change.protocol }}/{{ change.port }}{% endif %} \
            {{ change.service }} {{ change.before }}→{{ change.after }} {{ change.evidence }}\
            {% if not change.expected %}!{% endif %}"
            .to_owned(),
        footer: "{{ target }}/{{ group }}/{{ zone }} {{ ip }} {{ created_at | time('%d.%m.%Y %H:%M', 'Europe/Berlin') }}"
            .to_owned(),
    })
    .unwrap();
    let look = template.look(&example("several-ports-of-a-named-host"));
    assert_eq!(look.title, "[MEDIUM] www.example.org (4)");
    assert_eq!(
        look.lines,
        [
            "port.opened: tcp/80 http filtered→open syn-ack",
            "port.closed: tcp/443 https open→closed rst!",
            "port.filtered: tcp/8000 http-alt open→filtered icmp-unreachable(13)!",
            "port.filtered: udp/53 domain open→filtered no-response!",
        ]
    );
    assert_eq!(
        look.footer,
        "dmz/network/default 192.0.2.10 01.03.2026 13:00"
    );
}

#[test]
fn what_is_left_out_or_blank_reads_as_usual() {
    let notification = example("host-down");
    let usual = Look::of(&notification);
    assert_eq!(Template::default().look(&notification), usual);
    let template =
        of_line("{% if change.port %}look at port {{ change.port }}{% endif %}\n").unwrap();
    assert_eq!(template.look(&notification), usual);
    let one_port = template.look(&example("port-opened"));
    assert!(
        one_port.lines[0].starts_with("look at port "),
        "{one_port:?}"
    );
    // It says something else than the title, so that it is shown below it.
    assert_eq!(one_port.details().len(), 1);
    assert!(usual.details().is_empty());
}

#[test]
fn what_is_wrong_is_told_with_template_line_and_change() {
    for (error, expected) in [
        (
            error("{{ change.port"),
            "template.line: line 1: syntax error: ",
        ),
        (
            error("{% include 'secrets' %}"),
            "template.line: line 1: syntax error: unknown statement include",
        ),
        (
            error("a\nb {{ change.prot }}"),
            "template.line: line 2: undefined value",
        ),
        (
            error("{{ port }}"),
            "template.line: line 1: undefined value",
        ),
        (
            error("{{ change.text | shout }}"),
            "template.line: line 1: unknown filter: filter shout is unknown",
        ),
        (
            error("{{ change.at | time('%!') }}"),
            "template.line: line 1: invalid operation: ",
        ),
        (
            error("{{ change.at | time('%H', 'Mars') }}"),
            "template.line: line 1: invalid operation: ",
        ),
        (
            error("{% for a in range(9999) %}{% for b in range(9999) %}{% endfor %}{% endfor %}"),
            "template.line: line 1: engine ran out of fuel",
        ),
        (
            error("{{ 'x' * 100000000 }}"),
            "template.line: line 1: engine ran out of fuel",
        ),
    ] {
        assert!(error.starts_with(expected), "{expected}: {error}");
    }
    let only_some = error("{{ change.port + 1 }}");
    assert!(
        only_some.contains("(tried on a sample of host.up)"),
        "{only_some}"
    );
    let title = TemplateSettings {
        title: "{{ change.port }}".to_owned(),
        ..TemplateSettings::default()
    };
    let error = Template::new(&title).err().unwrap();
    assert!(
        error.starts_with("template.title: line 1: undefined value"),
        "{error}"
    );
}

#[test]
fn a_template_that_fails_after_all_costs_nothing_but_its_words() {
    let template = of_line("{{ 100 // (change.text | length - 3000) }}").unwrap();
    let mut content = example("port-opened-and-what-listens-there");
    assert!(template.look(&content).lines[0].starts_with('-'));
    let Content::Changes(notification) = &mut content else {
        panic!("changes");
    };
    notification.changes.about = portwatch_domain::change::About::Zone("default".parse().unwrap());
    let text = Look::of(&content).lines[0].chars().count();
    let template = of_line(&format!("{{{{ 100 // (change.text | length - {text}) }}}}")).unwrap();
    assert_eq!(template.look(&content), Look::of(&content));
}

#[test]
fn there_is_a_sample_of_every_kind_of_change() {
    let schema =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../schemas/json/change.v1.schema.json");
    let schema = std::fs::read_to_string(schema).unwrap();
    let words = schema
        .split('"')
        .filter(|word| word.parse::<ChangeKind>().is_ok());
    let kinds: BTreeSet<String> = words.map(ToOwned::to_owned).collect();
    let samples: BTreeSet<String> = samples::all().into_iter().map(|(name, _)| name).collect();
    assert_eq!(kinds.len(), 19);
    assert!(samples.is_superset(&kinds), "{samples:?} of {kinds:?}");
}
