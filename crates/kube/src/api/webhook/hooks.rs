//! The webhooks that there are.

use crate::object;
use crate::resource::Resource;
use crate::store::Store;
use serde_json::Value;
use std::sync::Arc;

/// The resource of webhooks that may change objects.
pub(super) const MUTATING: &str = "mutatingwebhookconfigurations.admissionregistration.k8s.io";
/// The resource of webhooks that may refuse them.
pub(super) const VALIDATING: &str = "validatingwebhookconfigurations.admissionregistration.k8s.io";

/// A webhook.
#[derive(Debug)]
pub(super) struct Hook {
    /// Its name.
    pub(super) name: String,
    /// Whether it may change objects.
    pub(super) mutates: bool,
    /// Whether a request passes when it can't be asked.
    pub(super) open: bool,
    /// Whether it wants to see an object again that others changed.
    pub(super) again: bool,
    /// The configuration that it stands in, and where in it.
    configuration: Arc<Value>,
    index: usize,
}

impl Hook {
    /// What the configuration says of it.
    pub(super) fn value(&self) -> &Value {
        &self.configuration["webhooks"][self.index]
    }

    /// The configuration's name.
    pub(super) fn configuration(&self) -> &str {
        object::name(&self.configuration)
    }

    /// When it is asked, in a word.
    pub(super) fn stage(&self) -> &'static str {
        if self.mutates {
            "mutating.webhook.admission.k8s.io"
        } else {
            "validating.webhook.admission.k8s.io"
        }
    }
}

/// All webhooks of a resource, in the order in which they are asked.
pub(super) fn all(store: &Store, resource: &str) -> Vec<Hook> {
    let mutates = resource == MUTATING;
    let mut hooks = Vec::new();
    for (_, configuration) in store.list(resource, None) {
        let list = object::list(configuration, &["webhooks"]).iter();
        hooks.extend(list.enumerate().map(|(index, hook)| Hook {
            name: object::text(hook, &["name"]).to_owned(),
            mutates,
            open: hook["failurePolicy"] == "Ignore",
            again: hook["reinvocationPolicy"] == "IfNeeded",
            configuration: configuration.clone(),
            index,
        }));
    }
    hooks
}

/// Whether a resource is no webhook's business: nobody could mend a webhook that refuses everything.
pub(super) fn is_exempt(resource: &Resource) -> bool {
    resource.group == "admissionregistration.k8s.io"
}
