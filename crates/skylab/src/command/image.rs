//! `skylab image`: images that every node of the lab's clusters has.

use crate::args::Image;
use crate::failure::{Failure, USAGE};
use lab::control::{self, ControlError, ImageInfo, ImageRequest, Reply, Request};
use lab::paths::StateDir;

pub(crate) fn run(state: &StateDir, image: Image) -> Result<u8, Failure> {
    match image {
        Image::Import { files } => {
            for file in files {
                let path = std::path::absolute(&file)
                    .map_err(|error| Failure::new(USAGE, format!("{}: {error}", file.display())))?;
                for image in ask(state, ImageRequest::Import(path))? {
                    println!("Imported {}", image.name);
                }
            }
        }
        Image::List { json } => list(&ask(state, ImageRequest::List)?, json),
        Image::Remove { name } => {
            ask(state, ImageRequest::Remove(name.clone()))?;
            println!("Removed {name}");
        }
    }
    Ok(0)
}

fn list(images: &[ImageInfo], json: bool) {
    if json {
        let text = serde_json::to_string_pretty(images).unwrap_or_default();
        println!("{text}");
    } else if images.is_empty() {
        println!("There are no images; bring one with: skylab image import FILE");
    } else {
        println!("{:<50} {:<14} SIZE", "NAME", "ID");
        for of in images {
            let id = of.id.trim_start_matches("sha256:");
            let id = id.get(..12).unwrap_or(id);
            println!("{:<50} {id:<14} {:.1} MB", of.name, of.size as f64 / 1e6);
        }
    }
}

fn ask(state: &StateDir, request: ImageRequest) -> Result<Vec<ImageInfo>, ControlError> {
    match control::connect(state)?.ask(&Request::Image(request))? {
        Reply::Images(images) => Ok(images),
        _ => Err(ControlError::Version),
    }
}
