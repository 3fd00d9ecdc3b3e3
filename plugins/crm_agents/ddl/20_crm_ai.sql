-- What agents write (docs/output_tables.md). The UNIQUE key of each table is named first.
create schema if not exists crm_ai;

create table if not exists crm_ai.scores (
    entity_type text,
    entity_id text,
    model text,
    value double precision,
    unit text,
    grade text,
    percentile double precision,
    trend double precision,
    status text not null,
    status_reason text,
    method text,
    model_version text,
    as_of date not null,
    valid_until date,
    run_id text not null,
    updated_at timestamptz not null default clock_timestamp(),
    primary key (entity_type, entity_id, model)
) with (fillfactor = 60);

create table if not exists crm_ai.score_reasons (
    entity_type text,
    entity_id text,
    model text,
    rank smallint,
    direction text,
    feature text not null,
    feature_value text,
    contribution double precision not null,
    statement text not null,
    run_id text not null,
    primary key (entity_type, entity_id, model, rank)
);

create table if not exists crm_ai.score_history (
    entity_type text,
    entity_id text,
    model text,
    as_of date,
    value double precision,
    unit text,
    grade text,
    percentile double precision,
    status text not null,
    status_reason text,
    method text,
    model_version text,
    run_id text not null,
    written_at timestamptz not null default clock_timestamp(),
    primary key (entity_type, entity_id, model, as_of)
);

create table if not exists crm_ai.decisions (
    decision_id text primary key,
    run_id text not null,
    agent text not null,
    entity_type text not null,
    entity_id text not null,
    options jsonb not null,
    chosen text not null,
    arm text,
    propensity double precision,
    policy text not null,
    confidence double precision,
    reason text not null,
    as_of date not null,
    created_at timestamptz not null default clock_timestamp(),
    prior_decision_id text,
    outcome_due_at date,
    outcome text,
    outcome_value double precision,
    outcome_at timestamptz
);
-- Of choices that wished for a message or a task: the rules that stood against it, and why, in words.
alter table crm_ai.decisions add column if not exists blocked_by text;
alter table crm_ai.decisions add column if not exists blocked_reason text;
create index if not exists decisions_entity on crm_ai.decisions (agent, entity_type, entity_id, as_of desc);
create index if not exists decisions_run on crm_ai.decisions (run_id);

create table if not exists crm_ai.write_ledger (
    write_id bigint generated always as identity primary key,
    run_id text not null,
    decision_id text,
    table_name text not null,
    row_key jsonb not null,
    operation text not null check (operation in ('insert', 'update', 'delete')),
    old_values jsonb,
    new_values jsonb,
    model_version text,
    written_at timestamptz not null default clock_timestamp(),
    undone_at timestamptz
);
create index if not exists write_ledger_run on crm_ai.write_ledger (run_id);

create table if not exists crm_ai.agent_runs (
    run_id text,
    agent text,
    as_of date,
    stage_seconds jsonb not null default '{}',
    rows_perceived bigint,
    decisions bigint,
    writes bigint,
    status text not null,
    status_reason text,
    seconds double precision,
    cpu_seconds double precision,
    peak_rss_mb double precision,
    batch_id bigint,
    basis jsonb,
    started_at timestamptz not null default clock_timestamp(),
    primary key (run_id, agent)
);
alter table crm_ai.agent_runs add column if not exists basis jsonb;

-- Cost of every stage and condition node by name: seconds, cpu_seconds, peak_rss_mb, waited_seconds (since the one before).
alter table crm_ai.agent_runs add column if not exists stage_costs jsonb not null default '{}';
alter table crm_ai.agent_runs add column if not exists recorded_at timestamptz;

create table if not exists crm_ai.models (
    model text,
    version text,
    alias text,
    method text not null,
    grade text,
    primary_metric text,
    metrics jsonb not null default '{}',
    baseline_metrics jsonb not null default '{}',
    trained_at timestamptz not null default clock_timestamp(),
    trained_as_of date,
    promoted_at timestamptz,
    retired_at timestamptz,
    training_snapshot bigint,
    artifact_uri text,
    artifact_sha256 text,
    card_uri text,
    decision text,
    training_key text,
    primary key (model, version)
);

-- Who served from which day on, append-only: the champion of day D is the row with the newest as_of up to D (the latest
-- one of that day). promoted_at and retired_at in crm_ai.models are the version's last reign, by the wall clock.
create table if not exists crm_ai.model_promotions (
    promotion_id bigint generated always as identity primary key,
    model text not null,
    version text not null,
    as_of date not null,
    reason text not null,
    promoted_at timestamptz not null default clock_timestamp(),
    foreign key (model, version) references crm_ai.models
);

create table if not exists crm_ai.data_usability (
    run_id text,
    model text,
    step text,
    check_name text,
    table_name text,
    column_name text,
    severity text not null,
    detail text not null,
    as_of date,
    checked_at timestamptz not null default clock_timestamp(),
    unique nulls not distinct (run_id, model, step, check_name, table_name, column_name)
);

create table if not exists crm_ai.quality_results (
    run_id text,
    stage text,
    suite text,
    expectation text,
    table_name text not null,
    severity text not null,
    success boolean not null,
    unexpected_count bigint,
    observed text,
    as_of date,
    checked_at timestamptz not null default clock_timestamp(),
    primary key (run_id, stage, suite, expectation)
);

create table if not exists crm_ai.quarantine (
    quarantine_id bigint generated always as identity primary key,
    table_name text not null,
    source_file text,
    row jsonb not null,
    reason text not null,
    run_id text not null,
    at timestamptz not null default clock_timestamp()
);
create index if not exists quarantine_run on crm_ai.quarantine (run_id, table_name);

-- What each load read and kept: used + quarantined = read, per source file and table.
create table if not exists crm_ai.load_counts (
    run_id text,
    table_name text,
    source_file text,
    rows_read bigint not null,
    rows_used bigint not null,
    rows_quarantined bigint not null,
    at timestamptz not null default clock_timestamp(),
    primary key (run_id, table_name, source_file)
);

-- What each ingest moved from the CRM into the lake, per table.
create table if not exists crm_ai.ingest_counts (
    run_id text,
    table_name text,
    batch_id bigint not null,
    rows_upserted bigint not null,
    rows_deleted bigint not null,
    rows_quarantined bigint not null,
    seconds double precision not null,
    at timestamptz not null default clock_timestamp(),
    primary key (run_id, table_name)
);

-- How good the scores of a version were, by what happened since; one row for each month of as_of.
create table if not exists crm_ai.model_performance (
    model text,
    model_version text,
    method text,
    month date,
    entity_type text not null,
    unit text not null,
    horizon_days integer not null,
    first_on date,
    last_on date,
    is_complete boolean not null,
    scores bigint not null,
    gone bigint not null,
    mean_score double precision,
    mean_outcome double precision,
    auc double precision,
    brier double precision,
    log_loss double precision,
    expected_calibration_error double precision,
    lift_top_10_percent double precision,
    lift_top_share double precision,
    top_share double precision,
    root_mean_squared_error double precision,
    bias_share double precision,
    as_of date not null,
    run_id text not null,
    updated_at timestamptz not null default clock_timestamp(),
    primary key (model, model_version, method, month)
);

-- What became of an agent's choices, one row for each choice and month of as_of.
create table if not exists crm_ai.decision_performance (
    agent text,
    policy text,
    arm text,
    chosen text,
    month date,
    outcomes bigint not null,
    unknown bigint not null,
    positive_share double precision,
    mean_value double precision,
    lift_positive double precision,
    lift_value double precision,
    as_of date not null,
    run_id text not null,
    updated_at timestamptz not null default clock_timestamp(),
    primary key (agent, policy, arm, chosen, month)
);

-- What an agent brings, against customers who were left alone by lot: an effect with its 95 % interval, or a reason. The period
-- is last_365_days or a month of as_of (YYYY-MM).
create table if not exists crm_ai.lift (
    agent text,
    action text,
    compared_with text,
    measure text,
    period text,
    first_on date not null,
    last_on date not null,
    treated bigint not null,
    compared bigint not null,
    gone bigint not null,
    effective_treated double precision not null,
    effective_compared double precision not null,
    effect double precision,
    lo95 double precision,
    hi95 double precision,
    total double precision,
    reason text,
    as_of date not null,
    run_id text not null,
    updated_at timestamptz not null default clock_timestamp(),
    primary key (agent, action, compared_with, measure, period),
    check ((effect is null) = (reason is not null))
);

-- Every measurement of what moved, alarm or not, and how far it usually moves.
create table if not exists crm_ai.drift (
    as_of date,
    kind text,
    subject text,
    name text,
    value double precision not null,
    usual double precision,
    limit_value double precision not null,
    window_rows bigint,
    reference_rows bigint,
    is_beyond boolean not null,
    detail text not null,
    run_id text not null,
    measured_at timestamptz not null default clock_timestamp(),
    primary key (as_of, kind, subject, name)
);

-- An alarm is open from the first day beyond the limit until the measurement is back.
create table if not exists crm_ai.model_alarms (
    kind text,
    subject text,
    name text,
    opened_as_of date,
    last_as_of date not null,
    closed_as_of date,
    value double precision not null,
    limit_value double precision not null,
    models text[] not null,
    message text not null,
    run_id text not null,
    raised_at timestamptz not null default clock_timestamp(),
    notified_at timestamptz,
    primary key (kind, subject, name, opened_as_of)
);

create table if not exists crm_ai.customer_values (
    customer_id text primary key,
    p_alive double precision,
    expected_purchases_3m double precision,
    expected_purchases_6m double precision,
    expected_purchases_12m double precision,
    expected_value_3m double precision,
    expected_value_3m_lo80 double precision,
    expected_value_3m_hi80 double precision,
    expected_value_6m double precision,
    expected_value_6m_lo80 double precision,
    expected_value_6m_hi80 double precision,
    expected_value_12m double precision,
    expected_value_12m_lo80 double precision,
    expected_value_12m_hi80 double precision,
    currency text,
    method text not null,
    model_version text not null,
    as_of date not null,
    run_id text not null,
    updated_at timestamptz not null default clock_timestamp()
) with (fillfactor = 60);

create table if not exists crm_ai.customer_segments (
    customer_id text primary key,
    segment_id integer,
    segment_name text,
    closeness double precision,
    status text not null,
    status_reason text,
    reason text,
    as_of date not null,
    run_id text not null,
    updated_at timestamptz not null default clock_timestamp()
) with (fillfactor = 60);

create table if not exists crm_ai.segment_profiles (
    segment_id integer,
    as_of date,
    segment_name text not null,
    customers bigint not null,
    customer_share double precision not null,
    revenue_share double precision not null,
    median_recency_days double precision,
    median_purchases_365d double precision,
    median_revenue_365d double precision,
    median_average_order_value double precision,
    median_mean_gap_days double precision,
    moved_in bigint not null,
    moved_out bigint not null,
    statement text not null,
    chosen_because text not null,
    run_id text not null,
    primary key (segment_id, as_of)
);

create table if not exists crm_ai.recommendations (
    customer_id text,
    rank smallint,
    product_id text not null,
    score double precision,
    reason text not null,
    method text not null,
    model_version text not null,
    as_of date not null,
    run_id text not null,
    updated_at timestamptz not null default clock_timestamp(),
    primary key (customer_id, rank)
);

create table if not exists crm_ai.segment_moves (
    customer_id text,
    as_of date,
    run_id text,
    from_segment_id integer not null,
    from_segment_name text not null,
    to_segment_id integer not null,
    to_segment_name text not null,
    moved_at timestamptz not null default clock_timestamp(),
    primary key (customer_id, as_of, run_id)
);
create index if not exists segment_moves_run on crm_ai.segment_moves (run_id);

-- Messages to customers and tasks for the team that agents have decided on; somebody else sends them (docs/outbox.md).
-- recipient_id is crm.customers.customer_id, never an address; variables hold no personal data either.
create table if not exists crm_ai.outbox (
    outbox_id text primary key,
    decision_id text not null,
    run_id text not null,
    agent text not null,
    kind text not null check (kind in ('message', 'task')),
    channel text not null,
    purpose text,
    recipient_id text not null,
    template text not null,
    variables jsonb not null default '{}',
    not_before timestamptz not null,
    consent_basis text,
    status text not null check (status in ('ready', 'cancelled', 'sent', 'failed')),
    status_reason text,
    as_of date not null,
    created_at timestamptz not null default clock_timestamp(),
    updated_at timestamptz not null default clock_timestamp(),
    check (channel = 'none' or (purpose is not null and consent_basis is not null))
);
create index if not exists outbox_recipient on crm_ai.outbox (recipient_id, not_before);
create index if not exists outbox_ready on crm_ai.outbox (not_before) where status = 'ready';

-- Every no that a customer has ever said, append-only: what the CRM overwrites or deletes stays known here. A row without a
-- channel is about every channel, one without a purpose about every purpose.
create table if not exists crm_ai.suppressions (
    customer_id text,
    kind text check (kind in ('opt_out', 'complaint', 'soft_bounce', 'hard_bounce')),
    source text,
    channel text,
    purpose text,
    occurred_at timestamptz not null,
    run_id text not null,
    noticed_at timestamptz not null default clock_timestamp(),
    primary key (customer_id, kind, source)
);

-- Rows with personal data in them (whole source rows, old and new values) are for the owner role only; bi holds what
-- business people read.
revoke all on crm_ai.quarantine, crm_ai.write_ledger from public;
create schema if not exists bi;
