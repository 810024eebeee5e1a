//! The last steps of every write: validation, managed fields, encoding, and the store's transaction.

use bytes::Bytes;
use eksile_store::{Entry, StoreError, Txn, WriteError};
use serde_json::Value;

use crate::admit;
use crate::answer::Answer;
use crate::authorize;
use crate::call::Call;
use crate::field::FieldErrors;
use crate::metadata;
use crate::negotiate;
use crate::object::{Encoded, meta, shown};
use crate::query::WriteOptions;
use crate::resource::Resource;
use crate::status::StatusError;
use crate::table;
use crate::validating;
use eksile_apimachinery::managed::{self, Manager};

/// How often a write that does not insist on a revision is tried again.
pub(crate) const TRIES: usize = 16;

/// Why a transaction wrote nothing.
#[derive(Debug)]
pub(crate) enum Stop {
    /// Somebody else wrote first.
    Changed,
    /// The answer to give.
    Refused(StatusError),
    /// Nothing is to be stored.
    DryRun(Bytes),
}

/// A change that was stored (or would have been).
#[derive(Debug)]
pub(crate) struct Done {
    /// The object's bytes.
    pub bytes: Bytes,
}

/// Records the writer in the managed fields, empty lists that it gave among them. From then on there are none.
fn track(
    call: &Call<'_>,
    live: Option<&Value>,
    new: &mut Value,
    options: &WriteOptions,
    tracking: Tracking,
) -> Result<(), StatusError> {
    let schema = call.schema()?;
    if tracking == Tracking::Compare {
        managed::update(schema, live, new, &manager(call, &manager_name(call, options)));
    }
    schema.normalize(new);
    Ok(())
}

/// The name of the manager: `fieldManager`, or the user agent's first part, printable characters only.
#[must_use]
pub(crate) fn manager_name(call: &Call<'_>, options: &WriteOptions) -> String {
    let name = managed::name_of(&options.field_manager, call.head.user_agent);
    name.chars().filter(|c| !c.is_control()).take(128).collect()
}

/// The manager of this name in this call.
#[must_use]
pub(crate) fn manager<'a>(call: &'a Call<'_>, name: &'a str) -> Manager<'a> {
    Manager {
        name,
        subresource: &call.at.sub,
        api_version: &call.resource.api_version,
        time: call.now,
        reset: call.resource.strategy.reset_fields(&call.at.sub),
    }
}

/// Creates `object` (decoded, defaulted, placed).
///
/// # Errors
/// What admission, validation or the store have against it.
pub(crate) async fn create(
    call: &Call<'_>,
    mut object: Value,
    options: &WriteOptions,
    tracking: Tracking,
) -> Result<Done, StatusError> {
    let strategy = call.resource.strategy;
    track(call, None, &mut object, options, tracking)?;
    metadata::begin(&mut object, call.resource, call.now);
    admit::create(call, &mut object)?;
    strategy.may_grant(&object, None, &call.context())?;
    let generated = meta(&object, "name").is_empty() && !meta(&object, "generateName").is_empty();
    for _ in 0..TRIES {
        // Only a generated name may need another try.
        let mut object = if generated { object.clone() } else { std::mem::take(&mut object) };
        metadata::generate_name(&mut object);
        call.warnings.say(strategy.early_warnings(&object));
        strategy.prepare_create(&mut object, &call.context());
        let mut errors = FieldErrors::new();
        metadata::validate(&object, call.resource, &mut errors);
        strategy.validate(&object, &call.context(), &mut errors);
        strategy.validate_create(&object, &call.context(), &mut errors);
        if !errors.is_empty() {
            return Err(call.invalid(meta(&object, "name"), &errors));
        }
        strategy.authorize(&object, None, &call.context())?;
        call.warnings.say(strategy.warnings(&object, None));
        // A write to a name that is not there makes it: that is asked for by its own name.
        if call.at.verb != "create" {
            authorize::refuse_unless(call.door, call.caller, &call.at.attributes("create"))?;
        }
        validating::validate(call, meta(&object, "name"), &object, None).await?;
        match store_new(call, object, options.dry_run).await {
            Err(error) if generated && error.reason() == "AlreadyExists" => {}
            other => return other,
        }
    }
    Err(StatusError::internal("no free name found"))
}

async fn store_new(call: &Call<'_>, mut object: Value, dry_run: bool) -> Result<Done, StatusError> {
    let resource = call.resource;
    let name = meta(&object, "name").to_owned();
    let key = resource.key(call.namespace(), &name);
    let stages = resource.strategy.stages();
    let encoded = if stages || dry_run { None } else { Some(Encoded::new(resource, &object)) };
    let committed = call
        .door
        .store
        .write(|txn| {
            if txn.get(&key).is_some() {
                return Err(Stop::Refused(taken(resource, &name, txn.get(&key).as_ref())));
            }
            if stages {
                resource.strategy.stage(Some(&mut object), None, txn, &call.context()).map_err(Stop::Refused)?;
            }
            if dry_run {
                return Err(Stop::DryRun(without_revision(&object)));
            }
            let encoded = encoded.unwrap_or_else(|| Encoded::new(resource, &object));
            put(txn, &key, encoded)
        })
        .await;
    finish(call, &key, committed).await
}

/// 409 for a name that is taken, or still taken.
fn taken(resource: &crate::resource::Resource, name: &str, entry: Option<&Entry>) -> StatusError {
    let mut error = StatusError::already_exists(&resource.group, &resource.plural, name);
    let going = entry
        .and_then(|e| serde_json::from_slice::<Value>(&e.value).ok())
        .is_some_and(|object| !meta(&object, "deletionTimestamp").is_empty());
    if going {
        error.0.message = format!("object is being deleted: {}", error.0.message);
    }
    error
}

/// Bytes that a stored object may have, whatever small changes it grew by. Etcd stores 1.5 MiB of a more compact form.
const OBJECT_LIMIT: usize = 3 * 1024 * 1024;

fn put(txn: &mut Txn<'_>, key: &str, encoded: Encoded) -> Result<Bytes, Stop> {
    if encoded.size() > OBJECT_LIMIT {
        return Err(Stop::Refused(StatusError::unexplained("etcdserver: request is too large")));
    }
    let bytes = encoded.at(txn.revision().0);
    txn.put(key, bytes.clone());
    Ok(bytes)
}

fn without_revision(object: &Value) -> Bytes {
    serde_json::to_vec(object).unwrap_or_default().into()
}

async fn finish(
    call: &Call<'_>,
    key: &str,
    committed: Result<eksile_store::Committed<Bytes>, WriteError<Stop>>,
) -> Result<Done, StatusError> {
    match committed {
        Ok(done) => {
            if call.resource.prefix.starts_with(crate::authorize::rbac::PREFIX) {
                call.door.rbac.settled(done.revision.0).await;
            }
            if *call.resource.prefix == *crate::authorize::node::PODS {
                call.door.graph.note(key, &done.value, done.revision.0);
            }
            Ok(Done { bytes: shown(call.resource, &done.value) })
        }
        Err(WriteError::Refused(Stop::DryRun(bytes))) => Ok(Done { bytes }),
        Err(WriteError::Refused(Stop::Refused(error))) => Err(error),
        Err(WriteError::Refused(Stop::Changed)) => Err(call.conflict(CHANGED)),
        Err(WriteError::Failed(error @ StoreError::Unwritten(_))) => {
            Err(StatusError::new(503, "ServiceUnavailable", format!("nothing was changed: the store {error}")))
        }
        Err(WriteError::Failed(error)) => Err(StatusError::internal(error)),
    }
}

/// Upstream's words for a lost race.
pub(crate) const CHANGED: &str =
    "the object has been modified; please apply your changes to the latest version and try again";

/// An object as stored, and parsed.
pub(crate) struct Current {
    /// The entry.
    pub entry: Entry,
    /// The object.
    pub object: Value,
}

impl Current {
    /// Reads the object of a call.
    ///
    /// # Errors
    /// 404, or 500 when what is stored cannot be read.
    pub(crate) fn read(call: &Call<'_>) -> Result<Self, StatusError> {
        Self::of(call.resource, call.door.store.view().get(&call.key()).ok_or_else(|| call.not_found())?)
    }

    /// Parses an entry.
    ///
    /// # Errors
    /// 500 when what is stored cannot be read.
    pub(crate) fn of(resource: &Resource, entry: Entry) -> Result<Self, StatusError> {
        let mut object = serde_json::from_slice(&entry.value).map_err(StatusError::internal)?;
        resource.strategy.decode_stored(&mut object);
        Ok(Self { entry, object })
    }
}

/// How the managed fields of a change come about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tracking {
    /// By comparing old and new.
    Compare,
    /// They are right already (apply).
    Done,
}

/// Replaces `current` by `new` (decoded, defaulted, named as the path says).
///
/// # Errors
/// What admission, validation or the store have against it; 409 when somebody else wrote first.
pub(crate) async fn replace(
    call: &Call<'_>,
    current: &Current,
    mut new: Value,
    options: &WriteOptions,
    tracking: Tracking,
) -> Result<Done, StatusError> {
    let strategy = call.resource.strategy;
    let old = &current.object;
    metadata::carry(&mut new, old);
    track(call, Some(old), &mut new, options, tracking)?;
    admit::update(call, &mut new, old)?;
    strategy.may_grant(&new, Some(old), &call.context())?;
    strategy.prepare_update(&mut new, old, &call.context());
    let mut errors = FieldErrors::new();
    // Upstream checks the metadata of a change on its way and again in every kind, as of a change and as of a new
    // object; the causes tell all of it.
    for _ in 0..2 {
        metadata::validate_update(&new, old, &mut errors);
    }
    for _ in 0..=strategy.metadata_checks() {
        metadata::validate_maps(&new, &mut errors);
    }
    strategy.validate(&new, &call.context(), &mut errors);
    strategy.validate_update(&new, old, &call.context(), &mut errors);
    if !errors.is_empty() {
        return Err(call.invalid(meta(&new, "name"), &errors));
    }
    strategy.authorize(&new, Some(old), &call.context())?;
    call.warnings.say(strategy.warnings(&new, Some(old)));
    validating::validate(call, &call.at.name, &new, Some(old)).await?;
    if new == *old || managed::restore_times(old, &mut new) {
        return Ok(Done { bytes: shown(call.resource, &current.entry.value) });
    }
    store_change(call, current, new, options.dry_run).await
}

/// Stores a change of `current`: an object that waits only for its finalizers goes when the last one does.
///
/// # Errors
/// 409 when somebody else wrote first; what the strategy's transaction has against it.
pub(crate) async fn store_change(
    call: &Call<'_>,
    current: &Current,
    new: Value,
    dry_run: bool,
) -> Result<Done, StatusError> {
    let gone = crate::deletion::complete(call.resource, &new);
    store(call, current, new, gone, dry_run).await
}

/// Stores a change of `current`, or removes it when that makes it `gone`.
///
/// # Errors
/// As [`store_change`].
pub(crate) async fn store(
    call: &Call<'_>,
    current: &Current,
    mut new: Value,
    gone: bool,
    dry_run: bool,
) -> Result<Done, StatusError> {
    let resource = call.resource;
    let key = current.entry.key.clone();
    let stages = resource.strategy.stages();
    let encoded = if stages || dry_run { None } else { Some(Encoded::new(resource, &new)) };
    let committed = call
        .door
        .store
        .write(|txn| {
            if txn.get(&key).map(|e| e.modified) != Some(current.entry.modified) {
                return Err(Stop::Changed);
            }
            if stages {
                let staged = if gone { None } else { Some(&mut new) };
                resource.strategy.stage(staged, Some(&current.object), txn, &call.context()).map_err(Stop::Refused)?;
            }
            if dry_run {
                return Err(Stop::DryRun(without_revision(&new)));
            }
            let encoded = encoded.unwrap_or_else(|| Encoded::new(resource, &new));
            if gone {
                txn.delete(&key);
                return Ok(encoded.at(current.entry.modified.0));
            }
            put(txn, &key, encoded)
        })
        .await;
    finish(call, &key, committed).await
}

/// Removes `current`.
///
/// # Errors
/// 409 when somebody else wrote first.
pub(crate) async fn remove(call: &Call<'_>, current: &Current, dry_run: bool) -> Result<Done, StatusError> {
    let resource = call.resource;
    let key = current.entry.key.clone();
    let committed = call
        .door
        .store
        .write(|txn| {
            if txn.get(&key).map(|e| e.modified) != Some(current.entry.modified) {
                return Err(Stop::Changed);
            }
            if resource.strategy.stages() {
                resource.strategy.stage(None, Some(&current.object), txn, &call.context()).map_err(Stop::Refused)?;
            }
            if dry_run {
                return Err(Stop::DryRun(current.entry.value.clone()));
            }
            txn.delete(&key);
            Ok(crate::object::at_revision(resource, &current.entry.value, txn.revision().0))
        })
        .await;
    finish(call, &key, committed).await
}

/// The object of a write in the form that the client wants.
///
/// # Errors
/// 406, or 500 when it cannot be encoded.
pub(crate) fn answer(call: &Call<'_>, code: u16, done: &Done) -> Result<Answer, StatusError> {
    let wanted = negotiate::wanted(call.head.accept)?;
    if wanted == negotiate::Wanted::PLAIN {
        return Ok(Answer::json(code, done.bytes.clone()));
    }
    let include = table::Include::read(call.query)?;
    let bytes = table::one(call.resource, &done.bytes, wanted, include, call.now)?;
    Ok(Answer::json(code, bytes))
}
