//! Users, tokens and the audit log.

use portwatch_domain::access::{Groups, Role, Scope};
use portwatch_store::Store;
use portwatch_store::access::{AuditEntry, Bearer, NewToken, Owner, SaveUser, SavedUser};
use uuid::Uuid;

use crate::samples::at;

fn scope(role: Role, groups: &[&str]) -> Scope {
    let groups = groups.iter().map(|&group| group.to_owned()).collect();
    Scope {
        role,
        groups: Groups::These(groups),
    }
}

fn everything() -> Scope {
    Scope {
        role: Role::Admin,
        groups: Groups::All,
    }
}

fn user(name: &str, password: Option<&str>, scope: Option<Scope>) -> SaveUser {
    SaveUser {
        name: name.to_owned(),
        password: password.map(str::to_owned),
        scope,
    }
}

fn token(number: u8, owner: Owner, expires: Option<i64>) -> NewToken {
    NewToken {
        id: Uuid::from_u128(number.into()),
        hash: [number; 32],
        name: format!("token {number}"),
        owner,
        expires_at: expires.map(at),
    }
}

async fn bearer(store: &Store, number: u8, seconds: i64) -> Option<Bearer> {
    store.bearer([number; 32], at(seconds)).await.unwrap()
}

async fn log_in(store: &Store, name: &str, number: u8) -> bool {
    let owner = Owner::User(name.to_owned());
    let added = store.add_token(token(number, owner, Some(3600)), name, at(0));
    added.await.unwrap()
}

pub async fn a_user_is_made_changed_and_removed(store: Store) {
    let incomplete = [
        user("anna", None, Some(everything())),
        user("anna", Some("hash"), None),
    ];
    for user in incomplete {
        let saved = store.save_user(user, "root", at(0)).await.unwrap();
        assert_eq!(saved, SavedUser::Incomplete);
    }
    assert_eq!(store.password_of("anna").await.unwrap(), None);

    let saved = store.save_user(
        user("anna", Some("hash"), Some(everything())),
        "root",
        at(1),
    );
    assert_eq!(saved.await.unwrap(), SavedUser::Created);
    let east = scope(Role::Viewer, &["east", "Ω \"west\""]);
    let saved = store.save_user(user("anna", None, Some(east.clone())), "root", at(2));
    assert_eq!(saved.await.unwrap(), SavedUser::Changed);
    let users = store.users().await.unwrap();
    assert_eq!(
        (users.len(), &users[0].scope, users[0].created_at),
        (1, &east, at(1))
    );
    assert_eq!(
        store.password_of("anna").await.unwrap().as_deref(),
        Some("hash")
    );
    let saved = store.save_user(user("anna", Some("other"), None), "root", at(3));
    assert_eq!(saved.await.unwrap(), SavedUser::Changed);
    assert_eq!(
        store.users().await.unwrap()[0].scope,
        east,
        "kept, with its groups"
    );

    assert!(store.remove_user("anna", "root", at(4)).await.unwrap());
    assert!(!store.remove_user("anna", "root", at(5)).await.unwrap());
    let log = store.audit(10).await.unwrap();
    let said: Vec<_> = log
        .iter()
        .map(|entry| (entry.action.as_str(), entry.detail.as_str()))
        .collect();
    assert_eq!(
        said,
        [
            ("user.remove", ""),
            ("user.save", "password set"),
            ("user.save", "viewer of east, Ω \"west\""),
            ("user.save", "admin of all groups, password set"),
        ]
    );
}

pub async fn who_is_logged_in_has_the_role_of_the_user_as_it_is_now(store: Store) {
    let saved = store.save_user(user("anna", Some("h"), Some(everything())), "root", at(0));
    saved.await.unwrap();
    assert!(log_in(&store, "anna", 1).await && log_in(&store, "anna", 2).await);
    let shown = bearer(&store, 1, 10).await.unwrap();
    assert_eq!((shown.name.as_str(), shown.scope), ("anna", everything()));
    assert_eq!(bearer(&store, 1, 3600).await, None, "expired");
    assert_eq!(bearer(&store, 9, 10).await, None, "unknown");

    let less = scope(Role::Viewer, &[]);
    let saved = store.save_user(user("anna", None, Some(less.clone())), "root", at(1));
    saved.await.unwrap();
    assert_eq!(bearer(&store, 1, 10).await.unwrap().scope, less);

    store.log_out([1; 32]).await.unwrap();
    assert_eq!(bearer(&store, 1, 10).await, None);
    assert!(bearer(&store, 2, 10).await.is_some(), "the other stays");

    let saved = store.save_user(user("anna", Some("new"), None), "root", at(2));
    saved.await.unwrap();
    assert_eq!(bearer(&store, 2, 10).await, None, "the password is another");
    assert!(log_in(&store, "anna", 3).await);
    store.remove_user("anna", "root", at(3)).await.unwrap();
    assert_eq!(bearer(&store, 3, 10).await, None, "the user is gone");
    assert!(!log_in(&store, "anna", 4).await);
    assert_eq!(bearer(&store, 4, 10).await, None);
}

pub async fn a_program_shows_a_token_until_it_expires_or_is_revoked(store: Store) {
    let east = scope(Role::Operator, &["east"]);
    for (number, expires) in [(1, None), (2, Some(100))] {
        let token = token(number, Owner::Program(east.clone()), expires);
        assert!(store.add_token(token, "root", at(0)).await.unwrap());
    }
    let shown = bearer(&store, 1, 30).await.unwrap();
    assert_eq!((shown.name.as_str(), &shown.scope), ("token 1", &east));
    assert!(bearer(&store, 2, 99).await.is_some());
    assert_eq!(bearer(&store, 2, 100).await, None);

    // When it was used is kept to the minute, so that not every call writes.
    bearer(&store, 1, 80).await.unwrap();
    let used = |tokens: Vec<portwatch_store::access::Token>| tokens[0].last_used_at;
    assert_eq!(used(store.tokens(at(99)).await.unwrap()), Some(at(30)));
    bearer(&store, 1, 90).await.unwrap();
    let listed = store.tokens(at(99)).await.unwrap();
    assert_eq!((listed.len(), &listed[1].scope), (2, &east));
    assert_eq!(used(listed), Some(at(90)));
    assert_eq!(store.tokens(at(100)).await.unwrap().len(), 1);

    let id = Uuid::from_u128(1);
    store.log_out([1; 32]).await.unwrap();
    assert!(bearer(&store, 1, 91).await.is_some(), "nobody logs it out");
    assert!(store.revoke_token(id, "root", at(92)).await.unwrap());
    assert!(!store.revoke_token(id, "root", at(93)).await.unwrap());
    assert_eq!(bearer(&store, 1, 94).await, None);
    let actions: Vec<_> = store.audit(10).await.unwrap();
    let actions: Vec<_> = actions.iter().map(|entry| entry.action.as_str()).collect();
    assert_eq!(actions, ["token.revoke", "token.add", "token.add"]);
}

pub async fn what_was_done_is_on_record_newest_first(store: Store) {
    let entry = |second: i64| AuditEntry {
        at: at(second),
        actor: "anna".to_owned(),
        action: "scan.now".to_owned(),
        about: format!("east/lb-{second}"),
        detail: String::new(),
    };
    // In the order in which they came, whatever the clocks said.
    for second in [1, 3, 2] {
        store.note(entry(second)).await.unwrap();
    }
    assert_eq!(store.audit(2).await.unwrap(), [entry(2), entry(3)]);
}
