//! Which of the groups differ in one word, so that long lists can show them as one.

use std::collections::{BTreeMap, HashMap};

use super::view::{Family, GroupView};
use gzette_core::group::families;
use gzette_core::model::{GroupId, GroupKind};

/// Marks the groups that are not the only ones of their family.
pub(super) fn mark(groups: &mut [GroupView]) {
    let families_of: Vec<Option<GroupId>> = {
        let by_message = || groups.iter().filter(|group| group.kind == GroupKind::Message);
        let ids: HashMap<&str, GroupId> =
            by_message().map(|group| (group.template.as_str(), group.id)).collect();
        let of = families(ids.keys().copied());
        let family = |group: &GroupView| of.get(group.template.as_str()).map(|first| ids[first]);
        groups.iter().map(|group| family(group).filter(|_| group.kind == GroupKind::Message)).collect()
    };
    let mut sizes: BTreeMap<GroupId, usize> = BTreeMap::new();
    families_of.iter().flatten().for_each(|&id| *sizes.entry(id).or_default() += 1);
    for (group, id) in groups.iter_mut().zip(families_of) {
        group.family = id.map(|id| Family { id, groups: sizes[&id] }).filter(|family| family.groups > 1);
    }
}
