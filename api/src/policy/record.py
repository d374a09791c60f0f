"""Records what oslo.policy says to the cases below in recorded.json, which the tests hold our rules to.

Run it with Python and `pip install oslo.policy==6.0.1`, in this folder. A case in which oslo.policy raises an error is
recorded as refused: there the request fails, here it is not allowed.
"""

import json
import logging
import sys

from oslo_config import cfg
from oslo_policy import policy

logging.disable(logging.CRITICAL)
sys.setrecursionlimit(300)

MEMBER = {"user_id": "u1", "project_id": "p1", "roles": ["member", "Reader"], "is_admin": False, "domain_id": None,
          "user_domain_id": "d1", "system_scope": None}
ADMIN = {**MEMBER, "user_id": "u2", "roles": ["admin"], "is_admin": True}
SYSTEM = {**ADMIN, "system_scope": "all", "project_id": None}
DOMAIN = {**ADMIN, "domain_id": "d1", "project_id": None}
TARGET = {"user_id": "u1", "project_id": "p1", "target.y": "x", "role": "member", "flag": "True", "percent": "100%"}
OTHER = {"user_id": "u3", "project_id": "p3"}

EXPRESSIONS = [
    # Constants and emptiness.
    "", "@", "!", " ", "not @", "not !", "not not @", "()", "(", ")", "(@)", "((@))", "(@", "@)", "( @ )",
    # Connectives and their spelling.
    "@ and @", "@ and !", "! or @", "! or !", "@ AND !", "! OR @", "NOT !", "Not !", "@ aNd @",
    "@ or ! and !", "! and ! or @", "! and (! or @)", "(@ or !) and !", "@ and not !", "not @ or @", "not (@ and !)",
    "not (@ or !) or @", "! or @ and @ and !", "! or (@ and @) and !", "@ and @ and @ and !", "! or ! or ! or @",
    "@ and", "and @", "and", "or", "not", "@ @", "@ or or @", "@ and or @", "@ not @", "not and @", "@\tand\n@",
    "@and@", "(@)and(@)", "(@ and @) or (! and @)", "not(@)", "not (not (@))",
    # Words that are no checks.
    "member", "'member'", '"role:member"', "role", "not member", "member or @", "'x' or @", ":", "::", "role:", ":x",
    # Roles.
    "role:member", "role:MEMBER", "ROLE:member", "role:reader", "role:READER", "role:admin", "role:%(role)s",
    "role:%(nothing)s", "not role:%(nothing)s", "role:mem%(nothing)s", "role:member and role:reader", "roles:member",
    "roles:Reader", "roles:reader",
    # Credentials.
    "user_id:%(user_id)s", "project_id:%(project_id)s", "user_id:u1", "user_id:U1", "user_id:%(target.y)s",
    "nothing:x", "nothing:%(user_id)s", "not nothing:x", "is_admin:True", "is_admin:False", "is_admin:true",
    "is_admin:%(flag)s", "domain_id:None", "system_scope:None", "system_scope:all", "system:all", "user_id.x:u1",
    "user_domain_id:d1", "user_domain_id:%(trustee_domain_id)s", "not user_domain_id:%(trustee_domain_id)s",
    # Literals.
    "'x':%(target.y)s", '"x":%(target.y)s', "'y':%(target.y)s", "True:%(flag)s", "False:%(flag)s", "None:None",
    "1:1", "01:01", "1.0:1.0", "1.50:1.5", "-1:-1", "1:1.0", "'x:%(target.y)s", "'x'x:xx", "'':", "'True':True",
    # Substitution.
    "'a-x':a-%(target.y)s", "'x-b':%(target.y)s-b", "'xx':%(target.y)s%(target.y)s", "'100%':100%%",
    "'100%':%(percent)s", "user_id:%(user_id)", "user_id:%(user_id", "user_id:%", "user_id:%s", "user_id:%(user_id)d",
    "user_id:%(a(b)c)s", "'%':%%", "(user_id:%(user_id)s)", "(user_id:%(user_id)s and (project_id:%(project_id)s))",
    "not (user_id:%(user_id)s)", "'member':%(role)s and role:%(role)s",
    # Other rules.
    "rule:yes", "rule:no", "rule:absent", "not rule:absent", "rule:yes and rule:nested", "rule:nested or rule:no",
    "rule:", "RULE:yes", "rule:with:colon", "(rule:yes and not rule:no) or rule:no", "rule:Yes",
    # The old form.
    [], [[]], [["@"]], ["@"], [["@", "!"]], [["@"], ["!"]], [["!"], ["!"]], ["!", "@"], [["role:member", "role:admin"]],
    [["role:admin"], ["user_id:%(user_id)s"]], [[], ["@"]], [["@ and @"]], [["not @"]], ["not !"], [""], None,
    [["rule:yes", "rule:nested"]], ["member"], [["(@)"]],
]
COMMON = {"yes": "@", "no": "!", "nested": "rule:yes and role:member", "with:colon": "@"}


def ask(rules, fallback, creds, target, scopes=None):
    enforcer = policy.Enforcer(cfg.ConfigOpts(), use_conf=False)
    enforcer.conf([])
    enforcer.set_rules(policy.Rules.from_dict(rules, fallback))
    if scopes:
        enforcer.registered_rules["asked"] = policy.RuleDefault("asked", "@", scope_types=scopes)
    try:
        return bool(enforcer.enforce("asked", dict(target), dict(creds)))
    except Exception:
        return False


def main():
    callers, targets = {"member": MEMBER, "admin": ADMIN, "system": SYSTEM, "domain": DOMAIN}, [TARGET, OTHER]
    pairs = [(creds, target) for creds in (MEMBER, ADMIN) for target in targets]
    cases = [[expression, [ask({**COMMON, "asked": expression}, "default", *pair) for pair in pairs]]
             for expression in EXPRESSIONS]
    sets = [{"asked": asked, "default": fallback} for fallback in ("@", "!", "role:admin")
            for asked in ("rule:absent", "not rule:absent", "rule:absent and @")]
    sets += [{"default": "@"}, {"default": "!"}, {"default": "role:admin"}, {"other": "@"}]
    sets = [[rules, [ask(rules, "default", *pair) for pair in pairs]] for rules in sets]
    scopes = {name: ask({"asked": "@"}, None, creds, OTHER, ["project"]) for name, creds in callers.items()}
    parts = {"callers": callers, "targets": targets, "common": COMMON, "cases": cases, "sets": sets, "scopes": scopes}
    with open("recorded.json", "w", encoding="utf-8") as file:
        for start, (name, part) in zip("{" + "," * len(parts), parts.items()):
            if isinstance(part, list):
                text = "[\n" + ",\n".join(json.dumps(item) for item in part) + "\n]"
            else:
                text = json.dumps(part)
            file.write(f"{start}{json.dumps(name)}: {text}\n")
        file.write("}\n")


main()
