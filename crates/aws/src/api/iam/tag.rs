//! Tags on the wire: three operations for each kind of resource that has them.

use super::super::{Call, Outcome};
use super::{Page, pairs, told};
use crate::model::iam::tags::{self, Tagged};
use wire::iam::*;
use wire::shape::Nothing;

macro_rules! tagged {
    ($kind:ident by $field:ident:
     $tag:ident($tag_request:ident), $untag:ident($untag_request:ident),
     $list:ident($list_request:ident) -> $list_response:ident) => {
        pub(super) fn $tag(call: &mut Call<'_>, request: $tag_request) -> Outcome<Nothing> {
            let more = tags::read(pairs(request.tags))?;
            let what = Tagged::$kind(&request.$field);
            tags::change(&mut call.state, what, |tags| tags.extend(more))?;
            Ok(Nothing {})
        }

        pub(super) fn $untag(call: &mut Call<'_>, request: $untag_request) -> Outcome<Nothing> {
            let what = Tagged::$kind(&request.$field);
            tags::change(&mut call.state, what, |tags| {
                tags.retain(|key, _| !request.tag_keys.contains(key));
            })?;
            Ok(Nothing {})
        }

        pub(super) fn $list(
            call: &mut Call<'_>,
            request: $list_request,
        ) -> Outcome<$list_response> {
            let own = tags::of(&call.state, Tagged::$kind(&request.$field))?;
            let page = Page::cut(told(own), request.max_items, request.marker.as_deref())?;
            Ok($list_response {
                is_truncated: page.truncated(),
                tags: page.items,
                marker: page.marker,
            })
        }
    };
}

tagged!(User by user_name:
    tag_user(TagUserRequest), untag_user(UntagUserRequest),
    list_of_user(ListUserTagsRequest) -> ListUserTagsResponse);
tagged!(Role by role_name:
    tag_role(TagRoleRequest), untag_role(UntagRoleRequest),
    list_of_role(ListRoleTagsRequest) -> ListRoleTagsResponse);
tagged!(Policy by policy_arn:
    tag_policy(TagPolicyRequest), untag_policy(UntagPolicyRequest),
    list_of_policy(ListPolicyTagsRequest) -> ListPolicyTagsResponse);
tagged!(InstanceProfile by instance_profile_name:
    tag_instance_profile(TagInstanceProfileRequest),
    untag_instance_profile(UntagInstanceProfileRequest),
    list_of_instance_profile(ListInstanceProfileTagsRequest) -> ListInstanceProfileTagsResponse);
tagged!(OidcProvider by open_id_connect_provider_arn:
    tag_oidc_provider(TagOpenIDConnectProviderRequest),
    untag_oidc_provider(UntagOpenIDConnectProviderRequest),
    list_of_oidc_provider(ListOpenIDConnectProviderTagsRequest) -> ListOpenIDConnectProviderTagsResponse);
