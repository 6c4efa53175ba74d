-- One row per refresh token ever handed out; a session is a family of them, each replacing the last.
create table identity.refresh_tokens (
    token_hash bytea primary key,
    session_id uuid not null,
    user_id uuid not null references identity.users on delete cascade,
    issued_at timestamptz not null,
    expires_at timestamptz not null,
    used_at timestamptz,
    revoked_at timestamptz
);
create index refresh_tokens_session on identity.refresh_tokens (session_id);
create index refresh_tokens_expiry on identity.refresh_tokens (expires_at);

-- Failed logins by the hash of the address tried, also of addresses nobody has, so that a lock-out
-- tells nobody which addresses exist.
create table identity.login_attempts (
    email_hash bytea primary key,
    failures integer not null,
    last_at timestamptz not null,
    locked_until timestamptz
);
create index login_attempts_age on identity.login_attempts (last_at);

-- The secret that signs access tokens; the newest signs.
create table identity.signing_keys (
    key_id uuid primary key,
    secret bytea not null,
    created_at timestamptz not null
);
