//! An enum of unit variants: a text out of a closed set.

use proc_macro2::TokenStream;
use quote::quote;
use syn::{DataEnum, Error, Fields, Ident, Result};

use crate::attributes::Attributes;

pub(crate) fn implement(name: &Ident, data: &DataEnum) -> Result<TokenStream> {
    let mut decoded = Vec::new();
    let mut encoded = Vec::new();
    for variant in &data.variants {
        if !matches!(variant.fields, Fields::Unit) {
            return Err(Error::new_spanned(variant, "a variant of a shape carries nothing"));
        }
        let ident = &variant.ident;
        let text = Attributes::read(&variant.attrs)?.name.unwrap_or_else(|| ident.to_string());
        decoded.push(quote! { #text => ::core::result::Result::Ok(Self::#ident) });
        encoded.push(quote! { Self::#ident => #text });
    }
    Ok(quote! {
        impl ::eksile_aws::shape::Shape for #name {
            const NAME: &'static str = ::core::stringify!(#name);

            fn decode(
                tree: &::eksile_aws::shape::Tree,
                _case: ::eksile_aws::shape::Case,
            ) -> ::core::result::Result<Self, ::eksile_aws::shape::DecodeError> {
                match tree.text()? {
                    #(#decoded,)*
                    other => ::core::result::Result::Err(::eksile_aws::shape::DecodeError::invalid(other)),
                }
            }

            fn encode(self) -> ::eksile_aws::shape::Value {
                ::eksile_aws::shape::Value::from(match self { #(#encoded),* })
            }
        }
    })
}
