create table identity.users (
    user_id uuid primary key,
    -- always lower case: people don't remember how they wrote theirs
    email text not null unique check (email = lower(email)),
    name text not null,
    password_hash text not null,
    is_active boolean not null default true,
    created_at timestamptz not null
);

create table identity.user_roles (
    user_id uuid not null references identity.users on delete cascade,
    role text not null,
    primary key (user_id, role)
);

-- Where the roles hold; an administrator's hold everywhere.
create table identity.user_shops (
    user_id uuid not null references identity.users on delete cascade,
    shop_id uuid not null,
    primary key (user_id, shop_id)
);
