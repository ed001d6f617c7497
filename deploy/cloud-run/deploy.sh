#!/usr/bin/env bash
# Deploys wsecho to Cloud Run from this source. docs/cloud-run.md gives the reasons for each setting.
#
# It may be run again at any time: it creates what is missing and updates the service. If it fails in the middle, run it
# again. clean-up.sh removes what it has created.
set -euo pipefail
FOLDER=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
PURPOSE="Deploys wsecho to Cloud Run from source, or updates it. To remove it again: clean-up.sh, with the same options."
USAGE_OF_MORE="  -- ...                   further options of 'gcloud run deploy', such as -- --max-instances=3"
# shellcheck source-path=SCRIPTDIR source=settings.sh
source "$FOLDER/settings.sh"
# Seconds to wait before the role is given once more: it takes a moment until a new account is known everywhere.
RETRY_PAUSE=${RETRY_PAUSE:-5}

enable_apis() {
    change gcloud services enable run.googleapis.com cloudbuild.googleapis.com artifactregistry.googleapis.com \
        iam.googleapis.com --project="$PROJECT_ID"
}

create_account() {
    if [ -z "$DRY_RUN" ]; then
        local known
        known=$(account_description)
        [ -z "$known" ] || return 0
    fi
    change gcloud iam service-accounts create "$SERVICE_ACCOUNT_NAME" --display-name="WebSocket echo server" \
        --description="$DESCRIPTION" --project="$PROJECT_ID"
}

give_role() {
    local attempt
    for attempt in 1 2 3 4 5; do
        if change gcloud projects add-iam-policy-binding "$PROJECT_ID" --member="serviceAccount:$ACCOUNT" \
            --role="$ROLE" --condition=None --quiet; then
            return 0
        fi
        [ "$attempt" = 5 ] || sleep "$RETRY_PAUSE"
    done
    fail "the account $ACCOUNT did not get $ROLE; run this script again"
}

deploy_service() {
    change gcloud run deploy "$SERVICE" --source="$FOLDER/../.." --project="$PROJECT_ID" --region="$REGION" \
        --service-account="$ACCOUNT" --allow-unauthenticated --port=8080 --timeout=3600 --concurrency=1000 \
        --execution-environment=gen2 --update-env-vars="GOOGLE_CLOUD_PROJECT=$PROJECT_ID" --quiet \
        ${MORE[@]+"${MORE[@]}"}
}

show_address() {
    [ -z "$DRY_RUN" ] || return 0
    local url
    url=$(gcloud run services describe "$SERVICE" --project="$PROJECT_ID" --region="$REGION" --format='value(status.url)')
    echo "test page: $url    WebSocket: wss://${url#https://}"
}

read_settings "$@"
enable_apis
create_account
give_role
deploy_service
show_address
