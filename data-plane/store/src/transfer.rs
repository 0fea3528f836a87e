//! Blobs to and from other nodes: the size as `u64`, little endian; then, of a
//! small blob, all its bytes, else hash pairs and data in pre-order, the encoding
//! of bao-tree. Everything is verified before it is stored.

use std::num::NonZeroU64;

use bao_tree::{
    BaoTree, ChunkRanges,
    io::fsm::{ResponseDecoder, ResponseDecoderNext},
};
use futures::StreamExt;
use iroh_blobs::{
    api::{
        Store,
        blobs::{BlobStatus, EncodedItem},
    },
    store::IROH_BLOCK_SIZE,
};
use iroh_io::TokioStreamReader;
use node_model::{BlobId, limit::BLOB_BYTES_MAX};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use crate::{BlobError, Blobs, Ranges, hash, small::SMALL_BYTES_MAX};

/// Verified parts that may wait for the disk: 32 × 16 KiB.
const PENDING_MAX: usize = 32;

/// What one hash of the tree stands for.
const GROUP_BYTES: u64 = IROH_BLOCK_SIZE.bytes() as u64;

/// How many bytes [`Blobs::provide`] writes of a whole blob of this size: a hash pair for each
/// group of 16 KiB but one, if it is not small.
#[must_use]
pub fn transfer_bytes(size: u64) -> u64 {
    let groups = if size <= SMALL_BYTES_MAX { 1 } else { size.div_ceil(GROUP_BYTES) };
    8 + size + 64 * groups.saturating_sub(1)
}

impl Blobs {
    /// Which parts of a blob are not here.
    ///
    /// # Errors
    /// [`BlobError`].
    pub async fn missing(&self, blob: BlobId) -> Result<Ranges, BlobError> {
        if self.small.size(blob).is_some() {
            return Ok(Ranges(ChunkRanges::empty()));
        }
        match self.status(blob).await? {
            BlobStatus::Complete { .. } => Ok(Ranges(ChunkRanges::empty())),
            BlobStatus::NotFound => Ok(Ranges::all()),
            BlobStatus::Partial { .. } => {
                let here = |store: Store| async move {
                    let here = store.blobs().observe(hash(blob)).await;
                    here.map_err(|error| BlobError::from_chain(&error))
                };
                let here = self.large.with(here).await?;
                Ok(Ranges::widened(ChunkRanges::all() - here.ranges))
            }
        }
    }

    /// Writes parts of a blob; returns how many bytes went out.
    ///
    /// # Errors
    /// [`BlobError`]; what was written is then of no use to the other side
    /// beyond what it could verify.
    pub async fn provide<W: AsyncWrite + Unpin + Send>(
        &self,
        blob: BlobId,
        ranges: &Ranges,
        to: &mut W,
    ) -> Result<u64, BlobError> {
        if let Some(size) = self.small.size(blob) {
            let bytes = self.small.read(blob).await?;
            to.write_all(&size.to_le_bytes()).await?;
            to.write_all(&bytes).await?;
            return Ok(8 + size);
        }
        let opened = self.large.opened().await?;
        let provided = provide_large(&opened.store, blob, ranges, to).await;
        self.large.judged(&opened, provided).await
    }

    /// Reads what [`Self::provide`] wrote, verifies each part, and stores it.
    /// Held only after [`Self::sync`]. Returns the size of the whole blob.
    ///
    /// # Errors
    /// [`BlobError`]; parts that were verified before stay.
    pub async fn receive<R: AsyncRead + Unpin + Send>(
        &self,
        blob: BlobId,
        ranges: &Ranges,
        from: &mut R,
    ) -> Result<u64, BlobError> {
        self.receive_within(u64::MAX, blob, ranges, from).await
    }

    /// The same, if the whole blob is no larger than that.
    ///
    /// # Errors
    /// [`BlobError::NoRoom`] before anything of it was read or kept.
    pub async fn receive_within<R: AsyncRead + Unpin + Send>(
        &self,
        bytes_max: u64,
        blob: BlobId,
        ranges: &Ranges,
        from: &mut R,
    ) -> Result<u64, BlobError> {
        let size = from.read_u64_le().await?;
        if size > bytes_max && size <= BLOB_BYTES_MAX {
            return Err(BlobError::NoRoom { bytes: size });
        }
        if size > BLOB_BYTES_MAX {
            return Err(BlobError::TooLarge);
        }
        let size = NonZeroU64::new(size).ok_or(BlobError::Damaged)?;
        if size.get() <= SMALL_BYTES_MAX {
            return self.receive_small(blob, size.get(), from).await;
        }
        let opened = self.large.opened().await?;
        let received = receive_large(&opened.store, blob, size, ranges, from).await;
        self.large.judged(&opened, received).await?;
        Ok(size.get())
    }

    async fn receive_small<R: AsyncRead + Unpin + Send>(
        &self,
        blob: BlobId,
        size: u64,
        from: &mut R,
    ) -> Result<u64, BlobError> {
        let mut bytes = vec![0; usize::try_from(size).map_err(|_| BlobError::TooLarge)?];
        from.read_exact(&mut bytes).await?;
        if *blake3::hash(&bytes).as_bytes() != blob.0 {
            return Err(BlobError::Damaged);
        }
        self.small.add(blob, bytes.into()).await?;
        Ok(size)
    }
}

async fn provide_large<W: AsyncWrite + Unpin + Send>(
    store: &Store,
    blob: BlobId,
    ranges: &Ranges,
    to: &mut W,
) -> Result<u64, BlobError> {
    let items = store.blobs().export_bao(hash(blob), ranges.0.clone()).stream();
    let mut items = std::pin::pin!(items);
    let mut written = 0;
    while let Some(item) = items.next().await {
        written += match item {
            EncodedItem::Size(size) => {
                to.write_all(&size.to_le_bytes()).await?;
                8
            }
            EncodedItem::Parent(parent) => {
                to.write_all(parent.pair.0.as_bytes()).await?;
                to.write_all(parent.pair.1.as_bytes()).await?;
                64
            }
            EncodedItem::Leaf(leaf) => {
                to.write_all(&leaf.data).await?;
                leaf.data.len() as u64
            }
            EncodedItem::Done => 0,
            EncodedItem::Error(error) => return Err(BlobError::from_chain(&error)),
        };
    }
    Ok(written)
}

async fn receive_large<R: AsyncRead + Unpin + Send>(
    store: &Store,
    blob: BlobId,
    size: NonZeroU64,
    ranges: &Ranges,
    from: &mut R,
) -> Result<(), BlobError> {
    let tree = BaoTree::new(size.get(), IROH_BLOCK_SIZE);
    let reader = TokioStreamReader::new(from);
    let mut decoder = ResponseDecoder::new(hash(blob).into(), ranges.0.clone(), tree, reader);
    let import = store.blobs().import_bao(hash(blob), size, PENDING_MAX).await;
    let import = import.map_err(|error| BlobError::from_chain(&error))?;
    let sender = import.tx;
    let decode = async move {
        loop {
            match decoder.next().await {
                ResponseDecoderNext::More((rest, item)) => {
                    let item = item.map_err(|error| decode_error(&error))?;
                    sender.send(item).await.map_err(|_| BlobError::Closed)?;
                    decoder = rest;
                }
                ResponseDecoderNext::Done(_) => return Ok::<(), BlobError>(()),
            }
        }
    };
    let (decoded, stored) = tokio::join!(decode, import.rx);
    // The store's reason says more than "it hung up".
    match stored {
        Ok(Ok(())) => {}
        Ok(Err(error)) => return Err(BlobError::from_chain(&error)),
        Err(_) => return Err(decoded.err().unwrap_or(BlobError::Closed)),
    }
    decoded
}

fn decode_error(error: &bao_tree::io::DecodeError) -> BlobError {
    use bao_tree::io::DecodeError;
    match error {
        DecodeError::Io(error) => BlobError::from_chain(error),
        DecodeError::ParentHashMismatch(_) | DecodeError::LeafHashMismatch(_) => BlobError::Damaged,
        DecodeError::ParentNotFound(_) | DecodeError::LeafNotFound(_) => {
            BlobError::Io("the connection ended in the middle of a blob".to_owned())
        }
    }
}
