//! The layers of an image on their way from a registry into the store: all of them, or none.
//!
//! A layer that is here is used for another image only where the registry shows the right to it: the host once gave all
//! of its bytes, and now says that the caller may have them. Else its bytes are pulled again, which shows it, too.

use std::collections::BTreeSet;
use std::fs;
use std::io::{self, Read, Write};
use std::path::Path;

use aws_lc_rs::digest::{Context, SHA256};
use http::Method;
use http_body_util::BodyExt;

use super::reference::is_digest;
use super::registry::{Descriptor, PullError, Session};
use super::store::{Layer, Partial};
use super::unpack::unpack;

/// Most layers of an image, as container engines have it.
const LAYERS_MAX: usize = 127;
/// Most bytes of an image, as pulled and unpacked together.
const IMAGE_MAX: u64 = 64 << 30;

/// A layer that was verified; with its files, unless those are in the store.
struct Staged {
    layer: Layer,
    made: Option<Partial>,
}

impl Session<'_> {
    /// Sees to it that every layer is in the store. Where one fails, nothing is kept of those pulled with it.
    pub(super) async fn layers(&self, layers: &[Descriptor], diff_ids: &[String]) -> Result<(), PullError> {
        if diff_ids.len() != layers.len() || !diff_ids.iter().all(|id| is_digest(id)) {
            return Err(self.content("mismatched image rootfs and manifest layers"));
        }
        if layers.len() > LAYERS_MAX {
            return Err(self.content(&format!("an image may have {LAYERS_MAX} layers, this one has {}", layers.len())));
        }
        let images = &self.puller.images;
        let mut room = images.room()?.min(IMAGE_MAX);
        let mut staged: Vec<Staged> = Vec::new();
        for (descriptor, diff_id) in layers.iter().zip(diff_ids) {
            let twice = staged.iter().find(|one| one.layer.blob == descriptor.digest);
            if let Some(first) = twice {
                self.promised(&first.layer, diff_id)?;
                continue;
            }
            staged.push(self.stage(descriptor, diff_id, &mut room).await?);
        }
        for Staged { layer, made } in &staged {
            match made {
                Some(partial) => images.install(layer, partial)?,
                None => images.note_layer(layer)?,
            }
        }
        Ok(())
    }

    /// Whether a layer is what the image's configuration says.
    fn promised(&self, layer: &Layer, diff_id: &str) -> Result<(), PullError> {
        if layer.diff_id == diff_id {
            return Ok(());
        }
        Err(self.content(&format!("wrong diff id calculated on extraction, expected {diff_id}")))
    }

    async fn stage(&self, descriptor: &Descriptor, diff_id: &str, room: &mut u64) -> Result<Staged, PullError> {
        if !is_digest(&descriptor.digest) {
            return Err(self.content("unsupported digest of a layer"));
        }
        if descriptor.media_type.ends_with("zstd") {
            return Err(self.content("layers compressed with zstd are not supported"));
        }
        let registry = &self.reference.registry;
        let known = self.puller.images.known(&descriptor.digest);
        if let Some(layer) = known.as_ref().filter(|layer| layer.registries.contains(registry)) {
            self.ask(Method::HEAD, "blobs", &descriptor.digest).await?;
            self.promised(layer, diff_id)?;
            return Ok(Staged { layer: layer.clone(), made: None });
        }
        let rest = room.checked_sub(descriptor.size);
        *room = rest.ok_or_else(|| self.content("the image is larger than there is room for"))?;
        let partial = self.puller.images.partial()?;
        self.download(descriptor, &partial.blob).await?;
        if let Some(mut layer) = known {
            self.promised(&layer, diff_id)?;
            layer.registries.insert(registry.clone());
            return Ok(Staged { layer, made: None });
        }
        let limit = *room;
        let unpacked = tokio::task::spawn_blocking(move || {
            let extracted = extract(&partial, limit)?;
            fs::remove_file(&partial.blob)?;
            Ok::<_, PullError>((partial, extracted))
        });
        let (partial, (found, used)) = unpacked.await.map_err(io::Error::other)??;
        *room = room.saturating_sub(used);
        let registries = BTreeSet::from([registry.clone()]);
        let layer = Layer { blob: descriptor.digest.clone(), diff_id: found, registries };
        self.promised(&layer, diff_id)?;
        Ok(Staged { layer, made: Some(partial) })
    }

    async fn download(&self, layer: &Descriptor, to: &Path) -> Result<(), PullError> {
        let mut body = self.ask(Method::GET, "blobs", &layer.digest).await?.into_body();
        let mut file = fs::File::create(to)?;
        let mut hash = Context::new(&SHA256);
        let mut left = layer.size;
        while let Some(frame) = self.in_time(body.frame()).await? {
            let frame = frame.map_err(|error| self.content(&error.to_string()))?;
            let Ok(data) = frame.into_data() else { continue };
            left = left
                .checked_sub(data.len() as u64)
                .ok_or_else(|| self.content("a layer is larger than its manifest says"))?;
            hash.update(&data);
            file.write_all(&data)?;
        }
        if left > 0 {
            return Err(self.content(&format!("a layer has {left} bytes less than its manifest says")));
        }
        let digest = format!("sha256:{}", hex::encode(hash.finish()));
        if digest != layer.digest {
            return Err(self.content(&format!("unexpected digest {digest}, expected {}", layer.digest)));
        }
        Ok(())
    }
}

/// Unpacks what was pulled. Returns the digest of the archive in it, and the bytes it takes.
fn extract(partial: &Partial, room: u64) -> Result<(String, u64), PullError> {
    let mut file = fs::File::open(&partial.blob)?;
    let mut magic = Vec::new();
    Read::by_ref(&mut file).take(2).read_to_end(&mut magic)?;
    let file = io::BufReader::with_capacity(1 << 16, fs::File::open(&partial.blob)?);
    let plain: Box<dyn Read> =
        if magic == [0x1f, 0x8b] { Box::new(flate2::read::MultiGzDecoder::new(file)) } else { Box::new(file) };
    let mut hashing = Hashing { from: plain, hash: Context::new(&SHA256), left: room };
    let used = unpack(&mut hashing, &partial.directory, room)?;
    // The archive's end marker may come before the stream's end.
    io::copy(&mut hashing, &mut io::sink())?;
    Ok((format!("sha256:{}", hex::encode(hashing.hash.finish())), used))
}

struct Hashing {
    from: Box<dyn Read>,
    hash: Context,
    left: u64,
}

impl Read for Hashing {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.from.read(buffer)?;
        let rest = self.left.checked_sub(count as u64);
        self.left = rest.ok_or_else(|| io::Error::other("the image is larger uncompressed than there is room for"))?;
        self.hash.update(&buffer[..count]);
        Ok(count)
    }
}
