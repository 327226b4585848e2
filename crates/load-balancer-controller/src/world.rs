//! What the cluster has, as the controller sees it.

use crate::model::Services;
use crate::model::class::{Classes, GroupId, Params, ParamsObject, group_of};
use crate::model::object::{Ingress, IngressClass, Service, read};
use kube_client::{Client, Mirror, Objects};
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Where the kinds are that are followed, in the order of [`World`]'s members.
const PATHS: [&str; 9] = [
    "/apis/networking.k8s.io/v1/ingresses",
    "/apis/networking.k8s.io/v1/ingressclasses",
    "/apis/elbv2.k8s.aws/v1beta1/ingressclassparams",
    "/api/v1/services",
    "/apis/discovery.k8s.io/v1/endpointslices",
    "/api/v1/nodes",
    "/api/v1/pods",
    "/apis/elbv2.k8s.aws/v1beta1/targetgroupbindings",
    "/api/v1/namespaces",
];

/// Follows what matters.
#[derive(Debug)]
pub(crate) struct Mirrors(Vec<Mirror>);

impl Mirrors {
    pub(crate) fn start(client: &Client) -> Self {
        let all = PATHS
            .iter()
            .map(|path| Mirror::start(client.clone(), *path));
        Self(all.collect())
    }

    /// Waits until everything has been listed once.
    pub(crate) async fn ready(&mut self) {
        for mirror in &mut self.0 {
            mirror.ready().await;
        }
    }

    /// Waits for a change.
    pub(crate) async fn changed(&mut self) {
        let waiting = self.0.iter_mut().map(|mirror| Box::pin(mirror.changed()));
        crate::together::any(waiting).await;
    }

    /// What there is now.
    pub(crate) fn now(&self) -> World {
        let mut all = self.0.iter().map(|mirror| mirror.now().unwrap_or_default());
        let mut next = || all.next().unwrap_or_default();
        World {
            ingresses: next(),
            classes: next(),
            params: next(),
            services: next(),
            slices: next(),
            nodes: next(),
            pods: next(),
            bindings: next(),
            namespaces: next(),
        }
    }
}

/// What there is.
#[derive(Clone, Debug)]
pub(crate) struct World {
    pub(crate) ingresses: Arc<Objects>,
    pub(crate) classes: Arc<Objects>,
    pub(crate) params: Arc<Objects>,
    pub(crate) services: Arc<Objects>,
    pub(crate) slices: Arc<Objects>,
    pub(crate) nodes: Arc<Objects>,
    pub(crate) pods: Arc<Objects>,
    pub(crate) bindings: Arc<Objects>,
    pub(crate) namespaces: Arc<Objects>,
}

impl Services for World {
    fn service(&self, namespace: &str, name: &str) -> Option<Service> {
        read(self.services.get(&format!("{namespace}/{name}"))?)
    }
}

/// Classes, parsed.
#[derive(Debug)]
pub(crate) struct ClassBook {
    name: String,
    classes: BTreeMap<String, IngressClass>,
    params: BTreeMap<String, Params>,
    namespaces: BTreeMap<String, BTreeMap<String, String>>,
}

impl ClassBook {
    pub(crate) fn of(&self) -> Classes<'_> {
        Classes {
            name: &self.name,
            classes: &self.classes,
            params: &self.params,
            namespaces: &self.namespaces,
        }
    }
}

/// An ingress' part in a group.
#[derive(Clone, Debug)]
pub(crate) struct Part {
    pub(crate) ingress: Ingress,
    pub(crate) params: Option<Params>,
    /// It is in the group; otherwise it only was.
    pub(crate) active: bool,
}

/// Ingresses by group, and why some are in none.
#[derive(Debug, Default)]
pub(crate) struct Grouped {
    pub(crate) groups: BTreeMap<GroupId, Vec<Part>>,
    pub(crate) wrong: Vec<(Ingress, String)>,
}

impl World {
    /// The classes, where ingresses may name one by the older annotation.
    pub(crate) fn classes(&self, name: &str) -> ClassBook {
        let classes = self.classes.iter();
        let classes = classes.filter_map(|(name, of)| Some((name.clone(), read(of)?)));
        let params = self.params.iter().filter_map(|(name, of)| {
            let object: ParamsObject = read(of)?;
            Some((name.clone(), object.spec))
        });
        let namespaces = self.namespaces.iter().map(|(name, of)| {
            let labels = of["metadata"]["labels"].as_object().into_iter().flatten();
            let labels =
                labels.filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned())));
            (name.clone(), labels.collect())
        });
        ClassBook {
            name: name.to_owned(),
            classes: classes.collect(),
            params: params.collect(),
            namespaces: namespaces.collect(),
        }
    }

    /// The ingresses by group.
    pub(crate) fn grouped(&self, class: &str) -> Grouped {
        let book = self.classes(class);
        let classes = book.of();
        let mut all = Grouped::default();
        for object in self.ingresses.values() {
            let Some(ingress) = read::<Ingress>(object) else {
                continue;
            };
            let own = match classes.of(&ingress) {
                Ok(None) => None,
                Ok(Some(params)) => match group_of(&ingress, params) {
                    Ok(group) => Some((group, params.cloned())),
                    Err(error) => {
                        all.wrong.push((ingress.clone(), error.to_string()));
                        None
                    }
                },
                Err(error) => {
                    all.wrong.push((ingress.clone(), error.to_string()));
                    None
                }
            };
            let own = own.filter(|_| !ingress.metadata.going());
            for group in GroupId::held(&ingress) {
                if own.as_ref().is_none_or(|(own, _)| *own != group) {
                    all.groups.entry(group).or_default().push(Part {
                        ingress: ingress.clone(),
                        params: None,
                        active: false,
                    });
                }
            }
            if let Some((group, params)) = own {
                all.groups.entry(group).or_default().push(Part {
                    ingress,
                    params,
                    active: true,
                });
            }
        }
        all
    }

    /// The endpoint slices of a service.
    pub(crate) fn slices_of<'w>(
        &'w self,
        namespace: &str,
        service: &'w str,
    ) -> impl Iterator<Item = &'w Arc<Value>> {
        let first = format!("{namespace}/");
        let prefix = first.clone();
        self.slices
            .range(first..)
            .take_while(move |(key, _)| key.starts_with(&prefix))
            .map(|(_, slice)| slice)
            .filter(move |slice| {
                slice["metadata"]["labels"]["kubernetes.io/service-name"] == service
            })
    }
}
