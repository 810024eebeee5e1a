//! A struct with named fields, or around another shape.

use proc_macro2::TokenStream;
use quote::quote;
use syn::{Field, FieldsNamed, Ident, Result};

use crate::attributes::Attributes;
use crate::case::{camel, pascal};

pub(crate) fn implement(name: &Ident, fields: Option<&FieldsNamed>) -> Result<TokenStream> {
    let mut decoded = Vec::new();
    let mut encoded = Vec::new();
    let mut read_names = Vec::new();
    let mut deeper = Vec::new();
    for field in fields.iter().flat_map(|f| &f.named) {
        let Some(ident) = &field.ident else { continue };
        let attributes = Attributes::read(&field.attrs)?;
        let names = names(field, ident, &attributes);
        let read = if attributes.default { quote!(field_or_default) } else { quote!(field) };
        decoded.push(quote! { #ident: members.#read(#names)? });
        let kind = &field.ty;
        read_names.push(quote! { #names.read(case) });
        deeper.push(quote! {
            if let ::core::option::Option::Some(member) = tree.member(#names.read(case)) {
                let at = ::eksile_aws::shape::within(at, #names.read(case));
                <#kind as ::eksile_aws::shape::Shape>::unread(member, case, &at, found);
            }
        });
        encoded.push(quote! { (#names, ::eksile_aws::shape::Shape::encode(self.#ident)) });
    }
    Ok(quote! {
        impl ::eksile_aws::shape::Shape for #name {
            const NAME: &'static str = ::core::stringify!(#name);

            fn decode(
                tree: &::eksile_aws::shape::Tree,
                case: ::eksile_aws::shape::Case,
            ) -> ::core::result::Result<Self, ::eksile_aws::shape::DecodeError> {
                #[allow(unused_variables)]
                let members = ::eksile_aws::shape::Members::of(tree, case)?;
                ::core::result::Result::Ok(Self { #(#decoded),* })
            }

            #[allow(unused_variables)]
            fn unread(
                tree: &::eksile_aws::shape::Tree,
                case: ::eksile_aws::shape::Case,
                at: &str,
                found: &mut ::std::vec::Vec<::std::string::String>,
            ) {
                tree.beside(&[#(#read_names),*], at, found);
                #(#deeper)*
            }

            fn encode(self) -> ::eksile_aws::shape::Value {
                ::eksile_aws::shape::Value::Struct(::std::vec![#(#encoded),*])
            }
        }
    })
}

/// A struct that is the shape it holds, under a name of its own.
pub(crate) fn wrap(name: &Ident, kind: &syn::Type) -> TokenStream {
    quote! {
        impl ::eksile_aws::shape::Shape for #name {
            const NAME: &'static str = ::core::stringify!(#name);

            fn decode(
                tree: &::eksile_aws::shape::Tree,
                case: ::eksile_aws::shape::Case,
            ) -> ::core::result::Result<Self, ::eksile_aws::shape::DecodeError> {
                ::core::result::Result::Ok(Self(::eksile_aws::shape::Shape::decode(tree, case)?))
            }

            fn unread(
                tree: &::eksile_aws::shape::Tree,
                case: ::eksile_aws::shape::Case,
                at: &str,
                found: &mut ::std::vec::Vec<::std::string::String>,
            ) {
                <#kind as ::eksile_aws::shape::Shape>::unread(tree, case, at, found);
            }

            fn absent() -> ::core::option::Option<Self> {
                ::eksile_aws::shape::Shape::absent().map(Self)
            }

            fn encode(self) -> ::eksile_aws::shape::Value {
                ::eksile_aws::shape::Shape::encode(self.0)
            }
        }
    }
}

/// A promoted constant, so that a name is made once, at compile time.
fn names(field: &Field, ident: &Ident, attributes: &Attributes) -> TokenStream {
    let snake = ident.to_string();
    let snake = snake.strip_prefix("r#").unwrap_or(&snake);
    let given = |direction: &Option<String>| direction.clone().or_else(|| attributes.name.clone());
    let (input, output) = (given(&attributes.input), given(&attributes.output));
    let input_pascal = input.clone().unwrap_or_else(|| pascal(snake));
    let input_camel = input.unwrap_or_else(|| camel(snake));
    let output_pascal = output.clone().unwrap_or_else(|| pascal(snake));
    let output_camel = output.unwrap_or_else(|| camel(snake));
    let item = match &attributes.item {
        Some(item) => quote!(::core::option::Option::Some(#item)),
        None => quote!(::core::option::Option::None),
    };
    let flattened = attributes.flattened;
    let span = field.ident.as_ref().map_or_else(proc_macro2::Span::call_site, Ident::span);
    quote::quote_spanned! { span=>
        &::eksile_aws::shape::Names {
            input: [#input_pascal, #input_camel],
            output: [#output_pascal, #output_camel],
            item: #item,
            flattened: #flattened,
        }
    }
}
