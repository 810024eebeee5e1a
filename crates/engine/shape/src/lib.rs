//! Derive for the structures of the AWS APIs.
//!
//! `#[derive(Shape)]` on a struct with named fields, on a struct around a single shape (which it then is, under its own
//! name), or on an enum of unit variants, implements
//! `eksile_aws::shape::Shape`: decode from a parsed request, encode to a response value. Field names
//! are snake_case; PascalCase or camelCase is the codec's choice at run time.
//!
//! | attribute of a field | meaning |
//! |---|---|
//! | `name = "X"` | this wire name in every case and direction |
//! | `input = "X"`, `output = "X"` | as `name`, in one direction |
//! | `item = "X"` | name of a list's items in XML (default `member` for query, `item` for ec2) |
//! | `flattened` | a list without a wrapping element in XML |
//! | `default` | `Default::default()` when absent |
//!
//! On a variant of an enum, `name = "X"` is its wire text (default: the variant's name).

mod attributes;
mod case;
mod structure;
mod variants;

use proc_macro::TokenStream;
use syn::{Data, DeriveInput, Error, Fields, parse_macro_input};

/// Implements `eksile_aws::shape::Shape`; see the crate's head for the attributes.
#[proc_macro_derive(Shape, attributes(shape))]
pub fn derive_shape(input: TokenStream) -> TokenStream {
    let input = parse_macro_input!(input as DeriveInput);
    let tokens = match &input.data {
        Data::Struct(data) => match &data.fields {
            Fields::Named(fields) => structure::implement(&input.ident, Some(fields)),
            Fields::Unit => structure::implement(&input.ident, None),
            Fields::Unnamed(fields) => match fields.unnamed.first() {
                Some(field) if fields.unnamed.len() == 1 => Ok(structure::wrap(&input.ident, &field.ty)),
                _ => Err(Error::new_spanned(&input.ident, "a shape has named fields, or holds one shape")),
            },
        },
        Data::Enum(data) => variants::implement(&input.ident, data),
        Data::Union(_) => Err(Error::new_spanned(&input.ident, "a union cannot be a shape")),
    };
    tokens.unwrap_or_else(|error| error.to_compile_error()).into()
}
