//! Images that commands bring, ask for and remove.

use super::protocol::{ImageInfo, ImageRequest, Refusal, RefusalKind};
use super::server::{Service, refuse};
use cri::Image;

/// Carries out what is asked; gives the images that it is about.
pub(super) fn answer(service: &Service, asked: ImageRequest) -> Result<Vec<ImageInfo>, Refusal> {
    let store = service.clusters.images();
    let failed = |error: &dyn std::fmt::Display| refuse(RefusalKind::Invalid, error);
    let images = match asked {
        ImageRequest::List => store.list(),
        // The file is read here, where its owners are those that containers know.
        ImageRequest::Import(path) => store.import(&path).map_err(|error| failed(&error))?,
        ImageRequest::Remove(name) => {
            if store.find(&name).is_none() {
                return Err(failed(&format!(
                    "there is no image {name:?}; see skylab image list"
                )));
            }
            store.remove(&name).map_err(|error| failed(&error))?;
            Vec::new()
        }
    };
    Ok(images.iter().flat_map(told).collect())
}

/// An image by each of its names, or by its id where it has none.
fn told(image: &Image) -> Vec<ImageInfo> {
    let info = |name: &str| ImageInfo {
        name: name.to_owned(),
        id: image.id.0.clone(),
        size: image.size,
    };
    if image.tags.is_empty() {
        return vec![info(&image.id.0)];
    }
    image.tags.iter().map(|tag| info(tag)).collect()
}
