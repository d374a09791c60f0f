//! The rules that hold where the operator's file says nothing.

/// Building blocks, also for the operator's own rules.
const BASE: &[(&str, &str)] = &[
    ("context_is_admin", "role:admin"),
    ("admin_api", "rule:context_is_admin"),
    ("project_member", "role:member and project_id:%(project_id)s"),
    ("project_reader", "role:reader and project_id:%(project_id)s"),
    ("is_user", "user_id:%(user_id)s"),
    ("admin_or_project_member", "rule:context_is_admin or rule:project_member"),
    ("admin_or_project_reader", "rule:context_is_admin or rule:project_reader"),
    ("admin_or_project_member_user", "rule:context_is_admin or (rule:project_member and rule:is_user)"),
    ("admin_or_project_reader_user", "rule:context_is_admin or (rule:project_reader and rule:is_user)"),
    // The target carries these two only for clusters that have a trustee.
    ("cluster_user", "user_id:%(trustee_user_id)s"),
    ("deny_cluster_user", "not user_domain_id:%(trustee_domain_id)s"),
    ("admin_or_project_member_deny_cluster_user", "rule:admin_or_project_member"),
    ("admin_or_project_reader_deny_cluster_user", "rule:admin_or_project_reader"),
    ("admin_or_project_member_user_deny_cluster_user", "rule:admin_or_project_member_user"),
    ("admin_or_project_reader_user_deny_cluster_user", "rule:admin_or_project_reader_user"),
    ("admin_or_project_member_user_or_cluster_user", "rule:admin_or_project_member_user or rule:cluster_user"),
    ("admin_or_project_reader_user_or_cluster_user", "rule:admin_or_project_reader_user or rule:cluster_user"),
    // Names from before there were readers.
    ("admin_or_owner", "is_admin:True or project_id:%(project_id)s"),
    ("admin_or_user", "is_admin:True or user_id:%(user_id)s"),
];

const ADMIN: &str = "rule:context_is_admin";
const MEMBER: &str = "rule:admin_or_project_member";
const READER: &str = "rule:admin_or_project_reader";

/// One rule for each thing that can be asked of the API; they hold for tokens of a project only.
const OPERATIONS: &[(&str, &str)] = &[
    ("clustertemplate:create", MEMBER),
    ("clustertemplate:get", READER),
    ("clustertemplate:get_all", READER),
    ("clustertemplate:detail", READER),
    ("clustertemplate:update", MEMBER),
    ("clustertemplate:delete", MEMBER),
    ("clustertemplate:publish", ADMIN),
    ("clustertemplate:get_one_all_projects", ADMIN),
    ("clustertemplate:get_all_all_projects", ADMIN),
    ("clustertemplate:detail_all_projects", ADMIN),
    ("clustertemplate:update_all_projects", ADMIN),
    ("clustertemplate:delete_all_projects", ADMIN),
    ("cluster:create", MEMBER),
    ("cluster:get", READER),
    ("cluster:get_all", READER),
    ("cluster:detail", READER),
    ("cluster:update", MEMBER),
    ("cluster:delete", MEMBER),
    ("cluster:resize", MEMBER),
    ("cluster:upgrade", MEMBER),
    // Members could always, whoever made the cluster: what watches it from inside acts as another user.
    ("cluster:update_health_status", MEMBER),
    ("cluster:get_one_all_projects", ADMIN),
    ("cluster:get_all_all_projects", ADMIN),
    ("cluster:detail_all_projects", ADMIN),
    ("cluster:update_all_projects", ADMIN),
    ("cluster:delete_all_projects", ADMIN),
    ("cluster:resize_all_projects", ADMIN),
    ("cluster:upgrade_all_projects", ADMIN),
    ("nodegroup:get", READER),
    ("nodegroup:get_all", READER),
    ("nodegroup:create", MEMBER),
    ("nodegroup:update", MEMBER),
    ("nodegroup:delete", MEMBER),
    // Ours: an administrator's look-ups go everywhere, also for these.
    ("nodegroup:create_all_projects", ADMIN),
    ("nodegroup:update_all_projects", ADMIN),
    ("nodegroup:delete_all_projects", ADMIN),
    ("nodegroup:get_one_all_projects", ADMIN),
    ("nodegroup:get_all_all_projects", ADMIN),
    ("certificate:get", "rule:admin_or_project_reader_user"),
    ("certificate:create", "rule:admin_or_project_member_user"),
    ("certificate:rotate_ca", MEMBER),
    ("credential:rotate", "rule:project_member"),
    ("quota:get", READER),
    ("quota:get_all", ADMIN),
    ("quota:create", ADMIN),
    ("quota:update", ADMIN),
    ("quota:delete", ADMIN),
    ("stats:get_all", READER),
    ("magnum-service:get_all", ADMIN),
    ("federation:create", MEMBER),
    ("federation:update", MEMBER),
    ("federation:delete", MEMBER),
    ("federation:get", READER),
    ("federation:get_all", READER),
    ("federation:detail", READER),
];

/// All default rules; with `project_wide` a cluster's certificates are its project's, not its creator's alone.
pub(super) fn rules(project_wide: bool) -> impl Iterator<Item = (&'static str, &'static str)> {
    BASE.iter().chain(OPERATIONS).copied().map(move |(name, text)| match name {
        "certificate:get" if project_wide => (name, READER),
        "certificate:create" if project_wide => (name, MEMBER),
        _ => (name, text),
    })
}

/// Whether the rule holds for tokens of a project only.
pub(super) fn needs_project(rule: &str) -> bool {
    OPERATIONS.iter().any(|(name, _)| *name == rule)
}
