//! Paths. A repository's name may contain slashes, so they are read from both ends.

/// What a path names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Route<'a> {
    Base,
    Tags { repository: &'a str },
    Manifest { repository: &'a str, reference: &'a str },
    Blob { repository: &'a str, digest: &'a str },
    Uploads { repository: &'a str },
    Upload { repository: &'a str, id: &'a str },
}

impl<'a> Route<'a> {
    /// What the path names; names are checked later.
    pub(crate) fn of(path: &'a str) -> Option<Self> {
        let rest = path.strip_prefix("/v2")?;
        if matches!(rest, "" | "/") {
            return Some(Self::Base);
        }
        let rest = rest.strip_prefix('/')?;
        if let Some(repository) = rest.strip_suffix("/tags/list") {
            return Some(Self::Tags { repository });
        }
        let uploads = rest.strip_suffix("/blobs/uploads/").or_else(|| rest.strip_suffix("/blobs/uploads"));
        if let Some(repository) = uploads {
            return Some(Self::Uploads { repository });
        }
        let (before, last) = rest.rsplit_once('/')?;
        if let Some(repository) = before.strip_suffix("/blobs/uploads") {
            return Some(Self::Upload { repository, id: last });
        }
        if let Some(repository) = before.strip_suffix("/blobs") {
            return Some(Self::Blob { repository, digest: last });
        }
        let repository = before.strip_suffix("/manifests")?;
        Some(Self::Manifest { repository, reference: last })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn names_may_have_slashes() {
        assert_eq!(Route::of("/v2/"), Some(Route::Base));
        assert_eq!(Route::of("/v2/a/b/tags/list"), Some(Route::Tags { repository: "a/b" }));
        let manifest = Route::Manifest { repository: "a/manifests", reference: "v1" };
        assert_eq!(Route::of("/v2/a/manifests/manifests/v1"), Some(manifest));
        assert_eq!(Route::of("/v2/a/blobs/uploads/"), Some(Route::Uploads { repository: "a" }));
        assert_eq!(Route::of("/v2/a/blobs/uploads/x"), Some(Route::Upload { repository: "a", id: "x" }));
        assert_eq!(Route::of("/v2/a/blobs/sha256:0"), Some(Route::Blob { repository: "a", digest: "sha256:0" }));
        assert_eq!(Route::of("/v2/_catalog"), None);
    }

    proptest! {
        #[test]
        fn any_path_is_read_or_not(path in "/v2(/[a-z:]{0,3}|/blobs|/uploads|/manifests|/tags|/list){0,6}/?") {
            let _ = Route::of(&path);
        }
    }
}
