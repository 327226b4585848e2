//! The planner without a kernel: plans change a make-believe one.

use super::*;
use crate::lint::{self, Wanted};
use crate::netlink::route::route::Action;
use fabric::Fabric;
use fabric::{Node, Policies};
use proptest::prelude::*;
use random::{edited, steps};
use random_node::{edited_node, node_steps};

#[path = "../../tests/engine/random.rs"]
mod random;
#[path = "../../tests/engine/random_node.rs"]
mod random_node;

/// What a kernel would have.
#[derive(Default)]
struct Pretended(BTreeMap<Key, Object>);

impl Wanted for Pretended {
    fn wanted(&self, key: &Key) -> Option<&Object> {
        self.0.get(key)
    }
}

impl Pretended {
    /// Carries a plan out; each change must find what it expects.
    fn execute(&mut self, plan: &Plan) {
        for change in &plan.changes {
            let before = match &change.after {
                Some(after) => self.0.insert(change.key.clone(), after.clone()),
                None => self.0.remove(&change.key),
            };
            assert_eq!(before, change.before, "{:?}", change.key);
        }
    }

    /// Everything fits together.
    fn check(&self) {
        let mut faults = Vec::new();
        let mut links: BTreeSet<(Place, u32)> = BTreeSet::new();
        for (key, object) in &self.0 {
            lint::object(key, object, self, &mut faults);
            if let (Thing::Link(index), Object::Link(link)) = (&key.thing, object) {
                assert!(links.insert((key.place.clone(), *index)), "index taken");
                assert!(
                    links.insert((link.far.clone(), link.far_index)),
                    "index taken"
                );
                assert!(link.name.len() < 16 && link.far_name.len() < 16);
            }
        }
        for (Key { place, thing }, object) in &self.0 {
            let link = match (thing, object) {
                (Thing::Address(link, _) | Thing::Neighbour(link, _), _) => *link,
                (_, Object::Route(Action::Via { link, .. } | Action::Local { link })) => *link,
                _ => continue,
            };
            assert!(
                link == 1 || links.contains(&(place.clone(), link)),
                "{place}: {thing:?} needs link {link}"
            );
        }
        assert_eq!(faults, Vec::<String>::new());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    /// However a fabric came about, change by change, the kernel has what it would have from one
    /// plan; every plan is sound; and an empty fabric leaves nothing.
    #[test]
    fn plans_add_up(steps in steps()) {
        let mut fabric = Fabric::default();
        let mut realised = Realised::default();
        let mut kernel = Pretended::default();
        for step in steps {
            for edit in step {
                edited(&mut fabric, edit);
            }
            let plan = realised.plan(&fabric);
            kernel.execute(&plan);
            prop_assert_eq!(lint::faults(&plan, &realised), Vec::<String>::new());
            kernel.check();
        }
        let mut fresh = Realised {
            numbers: realised.numbers.clone(),
            ..Realised::default()
        };
        let mut other = Pretended::default();
        other.execute(&fresh.plan(&fabric));
        prop_assert_eq!(&other.0, &kernel.0);
        prop_assert_eq!(realised.plan(&fabric).changes.len(), 0);
        kernel.execute(&realised.plan(&Fabric::default()));
        prop_assert!(kernel.0.is_empty());
    }
}

/// The parts of a node that its programs see, each in the fabric that the program gives to its planner.
fn parts(node: &Node) -> [Fabric; 3] {
    let alone = |node: Node| {
        let mut fabric = Fabric::default();
        fabric.nodes.insert("here".into(), node.into());
        fabric
    };
    let services = alone(Node {
        services: node.services.clone(),
        ..Node::default()
    });
    let mut policies = alone(Node {
        policies: Policies {
            pods: node.policies.pods.clone(),
            ..Policies::default()
        },
        ..Node::default()
    });
    policies.filters = node.policies.filters.clone();
    policies.address_sets = node.policies.address_sets.clone();
    let source_nat = alone(Node {
        source_nat: node.source_nat.clone(),
        ..Node::default()
    });
    [services, policies, source_nat]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    /// The same of what programs on a node plan.
    #[test]
    fn plans_of_nodes_add_up(steps in node_steps()) {
        let mut node = Node::default();
        let mut programs: [(Realised, Pretended); 3] = Default::default();
        for step in steps {
            for edit in step {
                edited_node(&mut node, edit);
            }
            for ((realised, kernel), fabric) in programs.iter_mut().zip(parts(&node)) {
                let plan = realised.plan(&fabric);
                kernel.execute(&plan);
                prop_assert_eq!(lint::faults(&plan, realised), Vec::<String>::new());
                kernel.check();
            }
        }
        for ((realised, kernel), fabric) in programs.iter_mut().zip(parts(&node)) {
            let mut fresh = Realised {
                numbers: realised.numbers.clone(),
                ..Realised::default()
            };
            let mut other = Pretended::default();
            other.execute(&fresh.plan(&fabric));
            prop_assert_eq!(&other.0, &kernel.0);
            prop_assert_eq!(realised.plan(&fabric).changes.len(), 0);
            kernel.execute(&realised.plan(&Fabric::default()));
            prop_assert!(kernel.0.is_empty());
        }
    }
}
