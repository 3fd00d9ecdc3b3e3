-- The CRM as crm-agents sees it (docs/crm_schema.md). Ids are text, money numeric(18,4), *_at timestamptz, *_on date.
-- Every table but customers may stay empty. updated_at moves forward with each change: incremental reads hang on it.
create schema if not exists crm;

create table if not exists crm.customers (
    customer_id text primary key,
    kind text,
    name text,
    email text,
    phone text,
    company text,
    industry text,
    employees integer,
    annual_revenue numeric(18, 4),
    city text,
    region text,
    country text,
    postal_code text,
    birth_on date,
    created_at timestamptz,
    owner_rep_id text,
    parent_customer_id text,
    source_system text,
    updated_at timestamptz not null default now()
);

create table if not exists crm.consents (
    customer_id text,
    channel text,
    purpose text,
    granted boolean,
    basis text,
    captured_at timestamptz,
    updated_at timestamptz not null default now(),
    primary key (customer_id, channel, purpose)
);

create table if not exists crm.products (
    product_id text primary key,
    name text,
    category text,
    product_type text,
    list_price numeric(18, 4),
    currency text,
    active boolean,
    updated_at timestamptz not null default now()
);

create table if not exists crm.orders (
    order_id text primary key,
    customer_id text,
    ordered_at timestamptz,
    status text,
    channel text,
    currency text,
    rep_id text,
    opportunity_id text,
    delivered_at timestamptz,
    promised_at timestamptz,
    updated_at timestamptz not null default now()
);

create table if not exists crm.order_items (
    order_id text,
    line_no integer,
    product_id text,
    seller_id text,
    quantity numeric(18, 4),
    unit_price numeric(18, 4),
    discount numeric(18, 4),
    freight numeric(18, 4),
    is_duplicate boolean,
    updated_at timestamptz not null default now(),
    primary key (order_id, line_no)
);

create table if not exists crm.payments (
    payment_id text primary key,
    order_id text,
    method text,
    amount numeric(18, 4),
    instalments integer,
    paid_at timestamptz,
    updated_at timestamptz not null default now()
);

create table if not exists crm.interactions (
    interaction_id text primary key,
    customer_id text,
    lead_id text,
    occurred_at timestamptz,
    channel text,
    direction text,
    kind text,
    product_id text,
    campaign_id text,
    duration_seconds integer,
    outcome text,
    updated_at timestamptz not null default now()
);

create table if not exists crm.tickets (
    ticket_id text primary key,
    customer_id text,
    opened_at timestamptz,
    first_response_at timestamptz,
    closed_at timestamptz,
    channel text,
    subject text,
    body text,
    status text,
    priority text,
    category text,
    assignee_rep_id text,
    updated_at timestamptz not null default now()
);

create table if not exists crm.feedback (
    feedback_id text primary key,
    customer_id text,
    order_id text,
    ticket_id text,
    given_at timestamptz,
    kind text,
    score numeric(18, 4),
    text text,
    updated_at timestamptz not null default now()
);

create table if not exists crm.leads (
    lead_id text primary key,
    created_at timestamptz,
    source text,
    name text,
    email text,
    company text,
    industry text,
    attributes jsonb,
    status text,
    converted_at timestamptz,
    opportunity_id text,
    owner_rep_id text,
    updated_at timestamptz not null default now()
);

create table if not exists crm.opportunities (
    opportunity_id text primary key,
    customer_id text,
    lead_id text,
    name text,
    product_id text,
    stage text,
    amount numeric(18, 4),
    currency text,
    created_at timestamptz,
    expected_close_on date,
    closed_at timestamptz,
    is_won boolean,
    lost_reason text,
    owner_rep_id text,
    updated_at timestamptz not null default now()
);

create table if not exists crm.opportunity_stages (
    opportunity_id text,
    stage text,
    entered_at timestamptz,
    rep_id text,
    updated_at timestamptz not null default now(),
    primary key (opportunity_id, stage, entered_at)
);

create table if not exists crm.sales_reps (
    rep_id text primary key,
    name text,
    email text,
    team_id text,
    manager_rep_id text,
    region text,
    skills text[],
    monthly_capacity integer,
    active boolean,
    hired_on date,
    updated_at timestamptz not null default now()
);

create table if not exists crm.quotas (
    rep_id text,
    period_start date,
    period text,
    amount numeric(18, 4),
    updated_at timestamptz not null default now(),
    primary key (rep_id, period_start, period)
);

create table if not exists crm.activities (
    activity_id text primary key,
    rep_id text,
    customer_id text,
    opportunity_id text,
    kind text,
    subject text,
    due_at timestamptz,
    done_at timestamptz,
    status text,
    updated_at timestamptz not null default now()
);

create table if not exists crm.campaigns (
    campaign_id text primary key,
    name text,
    channel text,
    starts_on date,
    ends_on date,
    cost numeric(18, 4),
    updated_at timestamptz not null default now()
);

create table if not exists crm.campaign_members (
    campaign_id text,
    customer_id text,
    sent_at timestamptz,
    arm text,
    opened_at timestamptz,
    clicked_at timestamptz,
    converted_at timestamptz,
    updated_at timestamptz not null default now(),
    primary key (campaign_id, customer_id)
);

create table if not exists crm.loyalty_transactions (
    transaction_id text primary key,
    customer_id text,
    occurred_at timestamptz,
    points integer,
    reason text,
    updated_at timestamptz not null default now()
);

-- The few rows that tell of a no are looked for before each contact (docs/outbox.md).
create index if not exists interactions_refusals on crm.interactions (customer_id)
    where kind = 'unsubscribe' or lower(outcome) in ('complained', 'bounced', 'undeliverable');
create index if not exists consents_refusals on crm.consents (customer_id) where not granted;

-- A CRM stamps each change itself: a row changed by hand is seen by the next ingest without the person thinking of it.
-- A writer that sets updated_at keeps what it set; historical rows carry the time of their newest event.
create or replace function crm.touch_updated_at() returns trigger language plpgsql as $$
begin
    if new.updated_at is not distinct from old.updated_at then
        new.updated_at := clock_timestamp();
    end if;
    return new;
end
$$;

do $$
declare
    name text;
begin
    for name in select tablename from pg_tables where schemaname = 'crm' loop
        if not exists (
            select from pg_trigger where tgname = 'touch_updated_at' and tgrelid = format('crm.%I', name)::regclass
        ) then
            execute format(
                'create trigger touch_updated_at before update on crm.%I for each row '
                'execute function crm.touch_updated_at()', name
            );
        end if;
        execute format('create index if not exists %I on crm.%I (updated_at)', name || '_updated_at', name);
    end loop;
end
$$;
