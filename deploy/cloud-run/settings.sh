# What deploy.sh and clean-up.sh have in common: it is read by both, with `source`.
# shellcheck shell=bash
# The variables are used where this file is read.
# shellcheck disable=SC2034

DESCRIPTION="Created by deploy/cloud-run/deploy.sh of wsecho"
ROLE=roles/monitoring.metricWriter
DRY_RUN=
# What follows `--` on the command line of deploy.sh.
MORE=()

fail() {
    echo "${0##*/}: $1" >&2
    exit "${2:-1}"
}

usage() {
    cat <<TEXT
Usage: ${0##*/} [--project ID] [--region NAME] [--service NAME] [--service-account NAME] [--dry-run]${USAGE_OF_MORE:+ [-- ...]}

$PURPOSE

  --project ID             the project (PROJECT_ID; else the one that gcloud is set to)
  --region NAME            the region (REGION; else europe-west1)
  --service NAME           the Cloud Run service (SERVICE; else websocket-echo)
  --service-account NAME   the account that the server runs as (SERVICE_ACCOUNT_NAME; else NAME of the service with -sa)
  --dry-run                print every command that would change something, and run none of them
${USAGE_OF_MORE:-}
TEXT
}

# Reads the options of the command line into PROJECT_ID, REGION, SERVICE, ACCOUNT, DRY_RUN and MORE.
read_settings() {
    while [ $# -gt 0 ]; do
        case "$1" in
            --dry-run) DRY_RUN=yes; shift; continue ;;
            --help | -h) usage; exit 0 ;;
            --) shift; MORE=("$@"); break ;;
            --project | --region | --service | --service-account) ;;
            *) fail "unknown argument '$1'; --help lists the options" 2 ;;
        esac
        [ -n "${2:-}" ] || fail "$1 needs a value" 2
        case "$1" in
            --project) PROJECT_ID=$2 ;;
            --region) REGION=$2 ;;
            --service) SERVICE=$2 ;;
            --service-account) SERVICE_ACCOUNT_NAME=$2 ;;
        esac
        shift 2
    done
    command -v gcloud > /dev/null || fail "gcloud is not installed: https://cloud.google.com/sdk/docs/install"
    PROJECT_ID=${PROJECT_ID:-$(gcloud config get-value project 2> /dev/null)}
    [ -n "$PROJECT_ID" ] || fail "no project: use --project ID, or run 'gcloud config set project ID'" 2
    REGION=${REGION:-europe-west1}
    SERVICE=${SERVICE:-websocket-echo}
    SERVICE_ACCOUNT_NAME=${SERVICE_ACCOUNT_NAME:-$SERVICE-sa}
    ACCOUNT=$SERVICE_ACCOUNT_NAME@$PROJECT_ID.iam.gserviceaccount.com
}

# Runs a command that changes something, or prints it in a dry run, quoted so that a shell could run it.
change() {
    if [ -n "$DRY_RUN" ]; then
        local printed
        printf -v printed '%q ' "$@"
        echo "${printed% }"
    else
        "$@" > /dev/null
    fi
}

# Prints what a question to gcloud answers; prints nothing if what was asked for does not exist. Any other failure ends
# the script, because an existing thing must not be taken for a missing one.
existing() {
    local answer errors
    errors=$(mktemp)
    if answer=$("$@" 2> "$errors"); then
        rm -f "$errors"
        printf '%s\n' "$answer"
    elif grep -qiE 'not[ _-]?found|does not exist|cannot find|matched no objects' "$errors"; then
        rm -f "$errors"
    else
        cat "$errors" >&2
        rm -f "$errors"
        return 1
    fi
}

account_description() {
    existing gcloud iam service-accounts describe "$ACCOUNT" --project="$PROJECT_ID" \
        --format='value(email,description)'
}

roles_of_account() {
    gcloud projects get-iam-policy "$PROJECT_ID" --flatten='bindings[].members' --format='value(bindings.role)' \
        --filter="bindings.members=serviceAccount:$ACCOUNT"
}
